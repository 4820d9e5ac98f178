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
async function harmless(hash) {
  const { page, wrong, close } = await open(hash);
  await settled(page);
  // a list, so that a failure tells what it is
  const planted = () => page.evaluate(() => Array.from(document.querySelectorAll("body script, img:not([src='/icon.svg']), iframe, main b"), (e) => e.outerHTML));
  assert.deepEqual(await planted(), [], hash);
  for (const details of await page.locator("main details").all()) await details.evaluate((d) => (d.open = true));
  for (const button of await page.getByRole("button", { name: / as a table$/ }).all()) await button.click();
  await page.waitForTimeout(200);
  assert.deepEqual(await planted(), [], hash);
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
  // what a stage wrote is in what was opened
  await shown.page.locator("pre", { hasText: SCRIPT }).first().waitFor({ timeout: SOON });
  assert.equal(await shown.page.locator("main script, main img").count(), 0);
  await shown.close();
});
