// A question before an act that others will notice.

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { ApiError } from "../api/client";
import { AsWhom } from "./as-whom";
import { say } from "./notice";

interface Question {
  text: string;
  yes: string;
  answer: (yes: boolean) => void;
}

const question = signal<Question | null>(null);

/** Asks, does it, and says what came of it; whether it was done. */
export async function ask(text: string, yes: string, act: () => Promise<unknown>): Promise<boolean> {
  const wanted = await new Promise<boolean>((answer) => (question.value = { text, yes, answer }));
  question.value = null;
  if (!wanted) return false;
  try {
    await act();
    say(`${yes}: done.`);
    return true;
  } catch (error) {
    say(error instanceof ApiError ? error.message : String(error), true);
    return false;
  }
}

export function Ask() {
  const dialog = useRef<HTMLDialogElement>(null);
  const now = question.value;
  useEffect(() => {
    if (now) dialog.current?.showModal();
    else dialog.current?.close();
  }, [now]);
  return (
    <dialog ref={dialog} aria-labelledby="question" onCancel={() => now?.answer(false)}>
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          now?.answer(true);
        }}
      >
        <p id="question">{now?.text}</p>
        <AsWhom open={now !== null} />
        <div class="acts">
          <button type="button" onClick={() => now?.answer(false)}>
            Not now
          </button>
          <button type="submit">{now?.yes}</button>
        </div>
      </form>
    </dialog>
  );
}
