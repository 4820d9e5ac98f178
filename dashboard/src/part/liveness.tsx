import { connected, lastEvent } from "../api/live";
import { forget, token } from "../api/client";
import { useNow } from "../api/use";
import { duration } from "../model/format";

/** Whether what is shown is fresh. */
export function Liveness() {
  const now = useNow();
  const last = lastEvent.value;
  const age = last === null ? "no event yet" : `last event ${duration(Math.max(0, Math.floor((now - last) / 1_000)) * 1_000)} ago`;
  return (
    <p class="liveness">
      <span class={connected.value ? "dot live" : "dot away"} aria-hidden="true" />
      {connected.value ? `Live, ${age}` : "Stream away, asking every 5 s"}
      {token.value && (
        <button type="button" class="quiet" onClick={forget}>
          Forget token
        </button>
      )}
    </p>
  );
}
