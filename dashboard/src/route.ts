// The address within the page: what follows `#`.

import { computed, signal } from "@preact/signals";

const hash = signal(location.hash);
addEventListener("hashchange", () => {
  hash.value = location.hash;
});

/** Its parts: `#/trial/ID` is `["trial", "ID"]`. */
export const route = computed(() => hash.value.replace(/^#\/?/, "").split("/").filter(Boolean).map(plain));

function plain(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const to = (...parts: string[]) => `#/${parts.map(encodeURIComponent).join("/")}`;
