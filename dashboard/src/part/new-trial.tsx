import { useRef, useState } from "preact/hooks";
import { ApiError, at, post } from "../api/client";
import type { Parameter, Problem, Spec, Value, Values } from "../api/types";
import { AsWhom } from "./as-whom";
import { say } from "./notice";

interface Props {
  experiment: string;
  spec: Spec;
  /** Values to begin with: the best known. */
  from?: Values;
}

/** A trial by hand: a form from the space. */
export function NewTrial({ experiment, spec, from }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [open, setOpen] = useState(false);
  const [problems, setProblems] = useState<Problem[]>([]);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const typed = new FormData(form);
    const parameters = Object.fromEntries(spec.parameters.map((p) => [p.name, read(p, String(typed.get(`p ${p.name}`) ?? ""))]));
    const text = (name: string) => String(typed.get(name) ?? "").trim() || undefined;
    try {
      const trial = await post<{ number: number }>(at`/v1/experiments/${experiment}/trials`, { parameters, cluster: text("cluster"), note: text("note") });
      dialog.current?.close();
      setProblems([]);
      say(`Trial ${trial.number} was accepted.`);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setProblems(error.problems.length > 0 ? error.problems : [{ path: "", message: error.message }]);
    }
  };
  return (
    <>
      <button
        type="button"
        onClick={() => {
          dialog.current?.showModal();
          setOpen(true);
        }}
      >
        New trial
      </button>
      <dialog ref={dialog} aria-labelledby="new-trial" onClose={() => setOpen(false)}>
        <form onSubmit={submit}>
          <h2 id="new-trial">A trial by hand</h2>
          {spec.constraints && spec.constraints.length > 0 && <p class="summary">It has to satisfy {spec.constraints.join(" and ")}.</p>}
          <div class="fields">
            {spec.parameters.map((p) => (
              <Field key={p.name} parameter={p} value={from?.[p.name] ?? p.default} />
            ))}
            <label>
              cluster
              <select name="cluster">
                <option value="">any that is free</option>
                {spec.clusters.map((c) => (
                  <option key={c}>{c}</option>
                ))}
              </select>
            </label>
            <label>
              note
              <input name="note" maxLength={500} />
            </label>
          </div>
          <AsWhom open={open} />
          {problems.length > 0 && (
            <ul class="problem" role="alert">
              {problems.map((p) => (
                <li key={p.path + p.message}>{p.message}</li>
              ))}
            </ul>
          )}
          <div class="acts">
            <button type="button" onClick={() => dialog.current?.close()}>
              Not now
            </button>
            <button type="submit">Submit</button>
          </div>
        </form>
      </dialog>
    </>
  );
}

function Field({ parameter: p, value }: { parameter: Parameter; value: Value }) {
  const name = `p ${p.name}`;
  const choices = p.type === "bool" ? ["true", "false"] : p.choices;
  const hint = p.low !== undefined && p.high !== undefined ? `${p.low} to ${p.high}${p.unit ? ` ${p.unit}` : ""}` : "";
  return (
    <label title={p.description}>
      <span>
        {p.name} <small>{hint}</small>
      </span>
      {choices && p.type !== "int" && p.type !== "float" ? (
        <select name={name} defaultValue={String(value)}>
          {choices.map((c) => (
            <option key={c} selected={c === String(value)}>
              {c}
            </option>
          ))}
        </select>
      ) : (
        <input name={name} type="number" step="any" required defaultValue={String(value)} />
      )}
    </label>
  );
}

function read(p: Parameter, text: string): Value {
  if (p.type === "categorical") return text;
  if (p.type === "bool") return text === "true";
  return Number(text);
}
