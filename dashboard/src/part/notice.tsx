// What came of an act, said once.

import { signal } from "@preact/signals";

const said = signal<{ text: string; bad: boolean } | null>(null);
let timer: ReturnType<typeof setTimeout> | undefined;

export function say(text: string, bad = false): void {
  said.value = { text, bad };
  clearTimeout(timer);
  timer = bad ? undefined : setTimeout(() => (said.value = null), 6_000);
}

export function Notice() {
  const now = said.value;
  return (
    <div class="notices" role="status" aria-live="polite">
      {now && (
        <p class={now.bad ? "notice bad" : "notice"}>
          {now.text}
          <button type="button" class="quiet" aria-label="Dismiss" onClick={() => (said.value = null)}>
            ×
          </button>
        </p>
      )}
    </div>
  );
}
