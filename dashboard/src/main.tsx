import { render } from "preact";
import { start } from "./api/live";
import { App } from "./app";
import "uplot/dist/uPlot.min.css";
import "./style/base.css";
import "./style/part.css";
import "./style/chart.css";

render(<App />, document.getElementById("app")!);
void start();
