// A script stays a text wherever somebody can write one.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { begin, call, end, experiment, open, settled, SOON } from "./tab.mjs";

before(begin);
after(end);

const SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>";

const id = async (name) => (await call(`/v1/experiments/${name}`)).id;
const trialsOf = async (name) => (await call(`/v1/experiments/${name}/trials?limit=1000`)).trials;

/** Every page that shows something of this experiment, and of one of its trials. */
const pages = (id, trial) => ["#/", `#/experiment/${id}`, `#/trial/${trial}`, `#/compare/${id},${id}`, "#/workers", "#/log"];

/** Nothing of a text became an element, and nothing ran: neither at once nor in what is opened, nor in a chart's table. */
async function harmless(hash, prepare) {
  const { page, wrong, close } = await open(hash, { prepare });
  await settled(page);
  const planted = () => page.evaluate(() => document.querySelectorAll("body script, img, iframe, main b").length);
  assert.equal(await planted(), 0, hash);
  for (const details of await page.locator("main details").all()) await details.evaluate((d) => (d.open = true));
  for (const button of await page.getByRole("button", { name: / as a table$/ }).all()) await button.click();
  await page.waitForTimeout(200);
  assert.equal(await planted(), 0, hash);
  assert.deepEqual(wrong, [], hash);
  return { page, close };
}

test("in a note, in the name of whoever writes it, in an address", async () => {
  const script = "<script>alert(3)</script><img src=x onerror=alert(4)>";
  await call(`/v1/experiments/${experiment}/trials`, { parameters: { x: 1.5, n: 2 }, note: script }, { "autoopt-person": script.slice(0, 60) });
  const trial = (await trialsOf(experiment)).find((t) => t.note === script);
  for (const hash of [...pages(await id(experiment), trial.id), `#/${encodeURIComponent(script)}`]) {
    await (await harmless(hash)).close();
  }
  const { page, close } = await open(`#/trial/${trial.id}`);
  await page.getByText(`Note: ${script}`).waitFor({ timeout: SOON });
  await close();
  const log = await open("#/log");
  await log.page.getByRole("cell", { name: script.slice(0, 60) }).first().waitFor({ timeout: SOON });
  await log.close();
});

test("in descriptions, units, choices, reasons of failures, raw output, hosts and servers", async () => {
  const trials = await trialsOf("hostile");
  const [failed, measured] = ["infeasible", "measured"].map((outcome) => trials.find((t) => t.kind === "manual" && t.outcome === outcome));
  assert.ok(failed.reason.includes(SCRIPT), failed.reason);
  for (const trial of [failed, measured]) {
    for (const hash of pages(await id("hostile"), trial.id)) await (await harmless(hash)).close();
  }
  const { page, close } = await harmless(`#/experiment/${await id("hostile")}`);
  // it is there, as a text
  for (const place of [page.locator("main p"), page.getByRole("cell"), page.getByRole("columnheader")]) {
    await place.filter({ hasText: SCRIPT }).first().waitFor({ timeout: SOON });
  }
  // the form for a trial has the choices, the units and the descriptions
  await page.getByRole("button", { name: "New trial" }).click();
  const form = page.getByRole("dialog", { name: "A trial by hand" });
  await form.getByLabel(/^mode/).selectOption(SCRIPT);
  assert.equal(await page.locator("dialog script, dialog img").count(), 0);
  await close();
  const shown = await harmless(`#/trial/${measured.id}`);
  const artifact = shown.page.getByRole("button", { name: /stderr/ }).or(shown.page.locator("summary", { hasText: "stderr" })).first();
  await artifact.click();
  await shown.page.locator("pre", { hasText: SCRIPT }).first().waitFor({ timeout: SOON });
  assert.equal(await shown.page.locator("main script, main img").count(), 0);
  await shown.close();
});

// The coordinator takes no such names of experiments, clusters, parameters and metrics. The page must not rest on that.

/** What stays as it is: ids, instants, numbers as text, and words that the page compares. */
const FIXED = /^([0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\dT.*|[\d.]*|apply|load|bench|collect|run|capture|undo|baseline|proposed|manual|recommended|closing|measured|transient|broken|infeasible|violated|invalid|abandoned|running|paused|stopping|confirming|ended|waiting|handed|leased|backing_off|done|failed|superseded|float|int|categorical|bool|maximize|minimize|healthy|trying|ratio|difference|stdout|stderr)$/;
/** Members that are maps by name: their keys are texts as well. */
const MAPS = new Set(["parameters", "metrics", "baseline", "baseline_runs", "sites", "outputs", "placement", "waits_for", "found", "headers"]);

function scripted(value, key) {
  if (typeof value === "string") return FIXED.test(value) || key === "kind" ? value : value + SCRIPT;
  if (Array.isArray(value)) return value.map((item) => scripted(item, key));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [MAPS.has(key) && !FIXED.test(name) ? name + SCRIPT : name, scripted(member, name)]));
}

test("in every name and text of every answer", async () => {
  const prepare = (page) =>
    page.route(/\/v1\/(?!events\/stream)/, async (route) => {
      const response = await route.fetch();
      const type = response.headers()["content-type"] ?? "";
      if (!type.includes("json")) return route.fulfill({ response });
      await route.fulfill({ response, json: scripted(await response.json()) });
    });
  for (const name of [experiment, "hostile", "scheduler-weights", "rate-and-power"]) {
    const trial = (await trialsOf(name)).find((t) => t.number > 0 && t.state === "ended");
    for (const hash of pages(await id(name), trial.id)) {
      const { page, close } = await harmless(hash, prepare);
      await page.getByText("<script>").first().waitFor({ state: "attached", timeout: SOON });
      await close();
    }
  }
});
