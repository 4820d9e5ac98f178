// Whose name the log has for what is done here.

import { signal } from "@preact/signals";
import { get } from "./client";
import type { By } from "./types";

/** By a token of their own; `null` while nothing but their word says it. */
export const proven = signal<string | null>(null);

/** Asked anew before each act: the token may be another one by now. */
export async function look(): Promise<void> {
  const { by } = await get<{ by?: By }>("/v1/whoami");
  proven.value = by?.proven ? by.name : null;
}
