import { useEffect } from "preact/hooks";
import { call, person } from "../api/client";
import { look, proven } from "../api/whoami";

/** Says whose name the log will have; asks for it where no token says it. */
export function AsWhom({ open }: { open: boolean }) {
  useEffect(() => {
    // without an answer the name is asked for
    if (open) void look().catch(() => undefined);
  }, [open]);
  if (proven.value !== null) return <p class="summary">The log will say that {proven.value} did it.</p>;
  return (
    <label class="as-whom">
      Your name, for the log
      <input
        name="person"
        autocomplete="nickname"
        maxLength={60}
        pattern="[ -~]*"
        title="Letters without accents, digits and signs"
        defaultValue={person.value}
        onChange={(event) => call(event.currentTarget.value)}
      />
    </label>
  );
}
