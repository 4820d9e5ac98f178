// 10,000 trials in Chromium: bytes over the wire, when the first chart is there, and when a new result is on screen.
// `cargo xtask dashboard` fills a coordinator and runs this on it.

import assert from "node:assert/strict";
import { begin, call, end, experiment, open, SOON, url } from "./tab.mjs";

const LOADS = 3;
const RESULTS = 7;
/** Bytes are the same everywhere, so that they are held to the aim. */
const BYTES = 1_000_000;
/** What is aimed at. Times are of this machine, this build and whatever else runs, and are only told. */
const FIRST = 2_000;
const NEW = 300;

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const told = (values) => `median ${median(values)} (${values.map((v) => Math.round(v)).join(", ")})`;

/** Notes in the page when a chart of uPlot first has a drawn pixel, two frames after which it is seen. */
function watchChart() {
  const look = () => {
    const canvas = document.querySelector(".plot canvas");
    const drawn = canvas && canvas.width > 0 && canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((v) => v > 0);
    if (drawn) requestAnimationFrame(() => requestAnimationFrame(() => (globalThis.drawnAt = performance.now())));
    else requestAnimationFrame(look);
  };
  addEventListener("DOMContentLoaded", look);
}

await begin();
try {
  const { id } = await call(`/v1/experiments/${experiment}`);
  const [sizes, charts, results] = [[], [], []];
  let tab;
  for (let i = 0; i < LOADS; i++) {
    await tab?.close();
    let bytes = 0;
    const prepare = async (page, context) => {
      const network = await context.newCDPSession(page);
      await network.send("Network.enable");
      network.on("Network.loadingFinished", (event) => (bytes += event.encodedDataLength));
      await page.addInitScript(watchChart);
    };
    tab = await open(`#/experiment/${id}`, { prepare });
    await tab.page.waitForFunction(() => globalThis.drawnAt !== undefined, undefined, { timeout: 60_000 });
    charts.push(Math.round(await tab.page.evaluate(() => globalThis.drawnAt)));
    // the last that comes by itself
    await tab.page.locator("section[aria-labelledby=trials] tbody tr").first().waitFor({ timeout: 60_000 });
    await tab.page.waitForTimeout(1_500);
    sizes.push(bytes);
  }
  const { page } = tab;
  await page.getByText(/^Live/).waitFor({ timeout: SOON });
  for (let i = 0; i < RESULTS; i++) {
    const parameters = Object.fromEntries(Array.from({ length: 8 }, (_, k) => [`weight_${k}`, 0.1 * k - 0.01 * i]));
    const { id: trial, number } = await call(`/v1/experiments/${experiment}/trials`, { parameters });
    // when it is in the document, and two frames later on screen
    const seen = page.evaluate(
      (name) =>
        new Promise((done) => {
          const look = () => {
            const row = document.querySelector(`tr:has(a[href="#/trial/${name}"])`);
            if (row?.textContent.includes("measured")) requestAnimationFrame(() => requestAnimationFrame(() => done(Date.now())));
            else requestAnimationFrame(look);
          };
          look();
        }),
      trial,
    );
    const shown = await Promise.race([seen, new Promise((_, no) => setTimeout(() => no(new Error(`trial ${number} is not on screen`)), SOON))]);
    const { ended } = await call(`/v1/trials/${trial}`);
    results.push(shown - Date.parse(ended));
    await page.waitForTimeout(400);
  }
  console.log(`10,000 trials at ${url}`);
  console.log(`  bytes over the wire until it is still (aim ${BYTES}): ${told(sizes)}`);
  console.log(`  first chart drawn, ms after the navigation began (aim ${FIRST}): ${told(charts)}`);
  console.log(`  a new result on screen, ms after it ended (aim ${NEW}): ${told(results)}`);
  assert.ok(median(sizes) < BYTES, `more than ${BYTES} bytes`);
} finally {
  await end();
}
