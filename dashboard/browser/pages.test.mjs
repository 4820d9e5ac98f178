// The dashboard in a real browser on a real coordinator; `cargo xtask dashboard` starts both.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { begin, blank, call, end, experiment, open, settled, SOON, shots, token, url } from "./tab.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

before(begin);
after(end);

async function pages() {
  const { trials } = await call(`/v1/experiments/${experiment}/trials?limit=10`);
  const id = trials[0].experiment_id;
  const trial = trials.find((t) => t.number > 0 && t.state === "ended");
  const { id: tuned } = await call("/v1/experiments/scheduler-weights");
  const { id: odds } = await call("/v1/experiments/rate-and-power");
  return {
    overview: "#/",
    experiment: `#/experiment/${id}`,
    tuned: `#/experiment/${tuned}`,
    odds: `#/experiment/${odds}`,
    trial: `#/trial/${trial.id}`,
    compare: `#/compare/${id},${id}`,
    workers: "#/workers",
    log: "#/log",
  };
}

test("a wrong token is refused and the right one unlocks, and neither gets into an address", async () => {
  const context = await blank();
  const page = await context.newPage();
  await page.goto(url);
  await page.getByLabel("The word in the file").fill("not the token of this one");
  await page.getByRole("button", { name: "Unlock" }).click();
  await page.getByText("this is not the token of this coordinator").waitFor({ timeout: SOON });
  await page.getByLabel("The word in the file").fill(token);
  await page.getByRole("button", { name: "Unlock" }).click();
  await page.getByRole("link", { name: experiment, exact: true }).waitFor({ timeout: SOON });
  assert.ok(!page.url().includes(token));
  assert.equal(await page.evaluate(() => localStorage.length), 0);
  await context.close();
});

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1280, 390]) {
    test(`every page at ${width} px, ${colorScheme}: fits, no script of others, nothing from elsewhere, accessible`, async () => {
      for (const [name, hash] of Object.entries(await pages())) {
        const { page, wrong, close } = await open(hash, { colorScheme, width });
        await settled(page);
        if (shots) await page.screenshot({ path: `${shots}/${name}-${width}-${colorScheme}.png`, fullPage: true });
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(over <= 0, `${name} is ${over} px too wide`);
        // a text that somebody typed stays a text
        assert.equal(await page.locator("main script, main img[onerror], main iframe").count(), 0, name);
        await page.evaluate(axe);
        const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] }));
        const told = violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(" ")}`);
        assert.deepEqual(told, [], name);
        assert.deepEqual(wrong, [], name);
        await close();
      }
    });
  }
}

test("a trial by hand is submitted from the form, and is on screen at once", async () => {
  const { page, close } = await open((await pages()).experiment);
  await page.getByRole("button", { name: "New trial" }).click();
  const form = page.getByRole("dialog", { name: "A trial by hand" });
  await form.getByLabel(/^x/).fill("99");
  await form.getByRole("button", { name: "Submit" }).click();
  await page.getByText(/`99` is not allowed/).waitFor({ timeout: SOON });
  await form.getByLabel(/^x/).fill("0.125");
  await form.getByLabel("note").fill("<img src=x onerror=alert(1)>");
  const began = Date.now();
  await form.getByRole("button", { name: "Submit" }).click();
  await page.getByRole("cell", { name: "0.125" }).waitFor({ timeout: SOON });
  const took = Date.now() - began;
  assert.ok(took < 5_000, `it took ${took} ms`);
  await close();
});

test("a result is on screen soon after it is in the log", async () => {
  const { page, close } = await open((await pages()).experiment);
  await page.getByText(/^Live/).waitFor({ timeout: SOON });
  const { id } = await call(`/v1/experiments/${experiment}/trials`, { parameters: { x: -1.75, n: 3 } });
  let ended;
  while (!ended) ({ ended } = await call(`/v1/trials/${id}`));
  const seen = Date.now();
  await page.locator(`tr:has(a[href="#/trial/${id}"]):has-text("measured")`).waitFor({ timeout: SOON });
  const late = Date.now() - seen;
  console.log(`# a result was on screen ${late} ms after the API had it`);
  assert.ok(late < 1_000, `${late} ms`);
  await close();
});

test("a filter on an axis filters the table, by keyboard too", async () => {
  const { page, close } = await open((await pages()).experiment);
  await page.getByText("Filter by typing").click();
  const all = await page.locator("section[aria-labelledby=trials] tbody tr").count();
  await page.getByLabel(/^x, from/).focus();
  await page.keyboard.press("End");
  await page.getByRole("button", { name: "Show all trials" }).waitFor();
  assert.ok((await page.locator("section[aria-labelledby=trials] tbody tr").count()) < all);
  await page.getByRole("button", { name: "Show all trials" }).press("Enter");
  assert.equal(await page.locator("section[aria-labelledby=trials] tbody tr").count(), all);
  await close();
});

test("a chart is a table on demand", async () => {
  const { page, close } = await open((await pages()).experiment);
  await page.getByRole("button", { name: "History as a table" }).press("Enter");
  await page.getByRole("region", { name: "History, numbers" }).getByRole("cell", { name: "baseline" }).waitFor();
  await close();
});

test("pause asks first, and is in the log", async () => {
  const { page, close } = await open((await pages()).experiment);
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Not now" }).last().click();
  assert.equal((await call(`/v1/experiments/${experiment}`)).phase, "running");
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Resume" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Resume" }).click();
  await page.getByRole("button", { name: "Pause" }).waitFor({ timeout: SOON });
  await page.getByRole("link", { name: "Log" }).click();
  await page.getByText("resumed by a person").first().waitFor({ timeout: SOON });
  await close();
});
