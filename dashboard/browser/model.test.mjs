// What the model says, where servers landed, and drift: on an experiment that the optimizer searches. The front of one with two
// objectives.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { begin, call, end, open, settled, SOON } from "./tab.mjs";

before(begin);
after(end);

const tuned = async () => (await call("/v1/experiments/scheduler-weights")).id;
const section = (page, title) => page.locator("section.figure", { has: page.getByRole("heading", { name: title, exact: true }) });

test("the first screen has the model's best with its interval beside the baseline's band", async () => {
  const { outlook, baseline_runs } = await call("/v1/experiments/scheduler-weights");
  const { page, close } = await open("#/");
  const card = page.locator("article", { hasText: "scheduler-weights" });
  await card.getByText("Best by model", { exact: true }).waitFor({ timeout: SOON });
  const words = await card.getByRole("img").getAttribute("aria-label");
  assert.match(words, /Best by model [\d.]+ ops\/s, [\d.]+ to [\d.]+; baseline [\d.]+, [\d.]+ to [\d.]+/);
  const [best, low, high] = words.match(/[\d.]+/g).map(Number);
  assert.ok(low <= best && best <= high);
  assert.ok(Math.abs(best - outlook.recommended.objective) < 0.01 * best, words);
  assert.ok(Object.values(baseline_runs).every((r) => r.n >= 2 && r.low < r.high));
  await card.getByText(/by the model, not confirmed/).waitFor();
  await close();
});

test("importance says what it is, and main effects have bands; both are tables as well", async () => {
  const { page, close } = await open(`#/experiment/${await tuned()}`);
  await settled(page);
  const importance = section(page, "Importance");
  await importance.getByText(/Sobol indices by the optimizer's model/).waitFor({ timeout: SOON });
  // by construction the cpu weight does most
  await importance.getByText(/cpu_weight explains most/).waitFor();
  await importance.getByRole("button", { name: "Importance as a table" }).press("Enter");
  assert.equal(await importance.locator("tbody tr").count(), 4);
  const effects = section(page, "Main effects");
  assert.equal(await effects.locator("polygon.band").count(), 4);
  await effects.getByRole("button", { name: "Main effects as a table" }).press("Enter");
  assert.ok((await effects.locator("tbody tr").count()) > 20);
  await close();
});

test("drift is told for each cluster, with its test", async () => {
  const { sites } = await call("/v1/experiments/scheduler-weights");
  const { page, close } = await open(`#/experiment/${await tuned()}`);
  const drift = section(page, "Drift of the baseline");
  const summary = await drift.locator("p.summary").textContent();
  for (const [cluster, site] of Object.entries(sites)) {
    const told = site.drift ? `(it drifts|no trend is shown).*${site.drift.runs} runs, p = ` : "[0-9]+ runs of the baseline, too few";
    assert.match(summary, new RegExp(`${cluster}: ${told}`));
    assert.equal(await drift.locator("li", { hasText: cluster }).locator("circle").count(), site.baseline_runs.length);
  }
  await close();
});

test("placements are a matrix of hosts and servers, and trial by trial against the baseline", async () => {
  const id = await tuned();
  const { servers, rows } = await call(`/v1/experiments/${id}/placements`);
  const { page, close } = await open(`#/experiment/${id}`);
  await settled(page);
  const matrix = page.getByRole("region", { name: "Host by server" });
  await matrix.waitFor({ timeout: SOON });
  const trials = rows.filter((r) => r.kind !== "baseline");
  for (const [i, server] of servers.entries()) {
    const column = await matrix.locator(`tbody td:nth-child(${i + 2})`).allTextContents();
    const sum = column.reduce((n, text) => n + parseInt(text, 10), 0);
    assert.equal(sum, trials.length, server);
  }
  assert.ok((await matrix.locator(".heat.was").count()) >= servers.length);
  const one = page.getByRole("region", { name: "Placement trial by trial" });
  assert.ok((await one.locator(".moved").count()) > 0);
  await close();
});

test("the front of two objectives is a picture, a sentence and a table", async () => {
  const { id, front } = await call("/v1/experiments/rate-and-power");
  assert.ok(front.length > 5);
  const { page, close } = await open(`#/experiment/${id}`);
  const figure = section(page, "Front");
  await figure.getByText(`${front.length} trials of 29 on the front`).waitFor({ timeout: SOON });
  await figure.getByText(/On it rate from [\d.]+ to [\d.]+ ops\/s, power from [\d.]+ to [\d.]+ W/).waitFor();
  const drawn = await figure.locator("canvas").evaluate((c) => c.getContext("2d").getImageData(0, 0, c.width, c.height).data.some((v) => v > 0));
  assert.ok(drawn);
  // pointing at a mark of the front names its trial, a click opens it
  const place = await figure.locator(".u-over").boundingBox();
  const reach = (of) => {
    const [low, high] = [Math.min(...of), Math.max(...of)];
    const room = (high - low) * 0.05;
    return (v) => (v - low + room) / (high - low + 2 * room);
  };
  const { trials } = await call(`/v1/experiments/${id}/trials?limit=100`);
  const measured = trials.filter((t) => t.outcome === "measured" && t.others);
  const [x, y] = [reach(measured.map((t) => t.objective)), reach(measured.map((t) => t.others[0]))];
  const one = front.find((f) => f.number > 0);
  await page.mouse.move(place.x + place.width * x(one.values[0]), place.y + place.height * (1 - y(one.values[1])));
  await figure.getByText(new RegExp(`^trial ${one.number}: rate .* ops/s, power .* W, on the front$`)).waitFor({ timeout: SOON });
  await figure.getByRole("button", { name: "Front as a table" }).press("Enter");
  assert.equal(await figure.locator("tbody tr").count(), 29);
  assert.equal(await figure.locator("tbody tr", { has: page.getByRole("cell", { name: "yes", exact: true }) }).count(), front.length);
  await close();
});
