import { Heads, Table } from "./table";

/** Which host each server landed on; with `before`, against another placement. */
export function Placement({ hosts, before, title = "Placement" }: { hosts: Record<string, string>; before?: Record<string, string>; title?: string }) {
  const servers = [...new Set([...Object.keys(hosts), ...Object.keys(before ?? {})])].sort();
  const names = [...new Set([...Object.values(hosts), ...Object.values(before ?? {})])].sort();
  if (servers.length === 0) return null;
  const moved = before ? servers.filter((s) => hosts[s] !== before[s]).length : 0;
  return (
    <section class="placement">
      <h3>{title}</h3>
      <p class="summary">
        {servers.length} servers on {new Set(Object.values(hosts)).size} hosts
        {before && `; ${moved} landed elsewhere than in the baseline (ring)`}.
      </p>
      <Table label={title} kind="matrix" head={<Heads names={["server", ...names]} />}>
        {servers.map((server) => (
          <tr key={server}>
            <th scope="row">{server}</th>
            {names.map((host) => (
              <td key={host}>
                <Mark is={hosts[server] === host} was={before?.[server] === host} />
              </td>
            ))}
          </tr>
        ))}
      </Table>
    </section>
  );
}

function Mark({ is, was }: { is: boolean; was: boolean }) {
  if (!is && !was) return null;
  const name = is && was ? "here, as in the baseline" : is ? "here" : "here in the baseline";
  return <span class={`mark ${is && was ? "both" : is ? "is" : "was"}`} role="img" aria-label={name} title={name} />;
}
