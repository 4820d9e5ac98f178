// Where servers landed, trial by trial, against the baseline of the same cluster.

import type { PlacementRow, Placements } from "../api/types";

export interface Moved {
  row: PlacementRow;
  /** The baseline's host of each server, where there is one. */
  before: (string | null)[];
  /** Servers that landed elsewhere than in the baseline. */
  moved: number;
}

/** Each row beside the first baseline of its cluster. */
export function against(p: Placements): Moved[] {
  const baselines = new Map<string, (string | null)[]>();
  for (const row of p.rows) if (row.kind === "baseline" && !baselines.has(row.cluster)) baselines.set(row.cluster, row.hosts);
  return p.rows.map((row) => {
    const before = baselines.get(row.cluster) ?? p.servers.map(() => null);
    const moved = row.hosts.filter((host, i) => before[i] != null && host !== null && host !== before[i]).length;
    return { row, before, moved };
  });
}

export interface Cell {
  /** Trials whose server landed on this host. */
  n: number;
  /** Whether the baseline has it there, on some cluster. */
  was: boolean;
}

/** How often each server landed on each host, baselines aside: by host, then by server. */
export function counts(p: Placements, rows: Moved[]): Map<string, Cell[]> {
  const hosts = [...new Set(rows.flatMap((r) => r.row.hosts.filter((h) => h !== null)))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const cells = new Map<string, Cell[]>(hosts.map((host) => [host, p.servers.map(() => ({ n: 0, was: false }))]));
  for (const { row } of rows) {
    row.hosts.forEach((host, i) => {
      const cell = host === null ? undefined : cells.get(host)?.[i];
      if (!cell) return;
      if (row.kind === "baseline") cell.was = true;
      else cell.n += 1;
    });
  }
  return cells;
}
