import { useState } from "preact/hooks";
import { unlock } from "../api/client";

export function Token({ why }: { why: string }) {
  const [typed, set] = useState("");
  return (
    <form
      class="card token"
      onSubmit={(event) => {
        event.preventDefault();
        unlock(typed.trim());
      }}
    >
      <h1>Token</h1>
      <p role="alert">{why}</p>
      <label>
        The word in the file that <code>api.token_file</code> names
        <input type="password" autocomplete="off" required value={typed} onInput={(e) => set(e.currentTarget.value)} />
      </label>
      <p class="summary">It is kept until this tab is closed, and sent to this coordinator only.</p>
      <button type="submit">Unlock</button>
    </form>
  );
}
