import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { to } from "../route";

/** A colour of the page's style by its name, light or dark. */
export type Color = (name: string) => string;

interface Props {
  /** Called once; what changes is in `data`, and in what the hooks look at. */
  make: (color: Color) => Omit<uPlot.Options, "width" | "height" | "legend">;
  /** Drawn again when it is another one. */
  data: uPlot.AlignedData;
  /** The id of the trial that a click opens. */
  opened: (plot: uPlot) => string | undefined;
}

const HEIGHT = 300;

/** A chart of many trials by uPlot. The picture is hidden from assistive tools: its figure has words and a table. */
export function Canvas({ make, data, opened }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const target = useRef(opened);
  target.current = opened;
  useEffect(() => {
    const div = place.current!;
    const color = (name: string) => getComputedStyle(div).getPropertyValue(name).trim();
    const made = new uPlot({ width: div.clientWidth, height: HEIGHT, legend: { show: false }, ...make(color) }, data, div);
    plot.current = made;
    made.over.addEventListener("click", () => {
      const trial = target.current(made);
      if (trial) location.hash = to("trial", trial);
    });
    const size = new ResizeObserver(() => made.setSize({ width: div.clientWidth, height: HEIGHT }));
    size.observe(div);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const redraw = () => made.redraw();
    scheme.addEventListener("change", redraw);
    return () => {
      size.disconnect();
      scheme.removeEventListener("change", redraw);
      made.destroy();
    };
  }, []);
  useEffect(() => {
    plot.current?.setData(data);
  }, [data]);
  return <div class="plot" ref={place} aria-hidden="true" />;
}

/** How an axis looks. */
export const axis = (color: Color) => ({
  stroke: () => color("--soft"),
  grid: { stroke: () => color("--line"), width: 1 },
  ticks: { stroke: () => color("--line") },
  labelSize: 22,
});
