import { useEffect } from "preact/hooks";
import { locked } from "./api/client";
import { Compare } from "./page/compare";
import { ExperimentPage } from "./page/experiment";
import { Log } from "./page/log";
import { Overview } from "./page/overview";
import { Token } from "./page/token";
import { TrialPage } from "./page/trial";
import { Workers } from "./page/workers";
import { Ask } from "./part/ask";
import { Liveness } from "./part/liveness";
import { Notice } from "./part/notice";
import { route, to } from "./route";

const PLACES = [
  { part: undefined, name: "Overview" },
  { part: "workers", name: "Workers" },
  { part: "log", name: "Log" },
];

export function App() {
  const [place] = route.value;
  // a new page begins at its top, and says so to whoever cannot see it
  const path = route.value.join("/");
  useEffect(() => {
    scrollTo(0, 0);
  }, [path]);
  return (
    <>
      <a class="skip" href="#main" onClick={toMain}>
        To the content
      </a>
      <header class="top">
        <a class="brand" href={to()}>
          <img src="/icon.svg" alt="" width="22" height="22" />
          AutoOptCloud
        </a>
        <nav aria-label="Pages">
          {PLACES.map(({ part, name }) => (
            <a key={name} href={part ? to(part) : to()} aria-current={place === part ? "page" : undefined}>
              {name}
            </a>
          ))}
        </nav>
        <Liveness />
      </header>
      <Notice />
      <Ask />
      <main id="main" tabIndex={-1}>
        {locked.value === null ? <Page /> : <Token why={locked.value} />}
      </main>
    </>
  );
}

function toMain(event: Event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function Page() {
  const [place, id] = route.value;
  if (place === undefined) return <Overview />;
  if (place === "experiment" && id) return <ExperimentPage key={id} id={id} />;
  if (place === "trial" && id) return <TrialPage key={id} id={id} />;
  if (place === "compare" && id) return <Compare key={id} ids={id.split(",")} />;
  if (place === "workers") return <Workers />;
  if (place === "log") return <Log />;
  return (
    <>
      <h1>Nothing here</h1>
      <p>
        There is no page at this address. <a href={to()}>Go to the overview</a>.
      </p>
    </>
  );
}
