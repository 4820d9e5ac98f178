// What the pages show of clusters, workers, trials and several experiments; an experiment and a trial that are given up.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { begin, call, end, experiment, open, settled, SOON } from "./tab.mjs";

before(begin);
after(end);

const yes = (page, name) => page.getByRole("dialog").getByRole("button", { name, exact: true }).click();

test("the first screen has what each cluster does, and why one is paused", async () => {
  const { page, close } = await open("#/");
  await settled(page);
  const clusters = page.locator("section.figure", { has: page.getByRole("heading", { name: "Clusters", exact: true }) });
  await clusters.getByText(/^\d+ of \d+ clusters are busy\./).waitFor({ timeout: SOON });
  await clusters.getByRole("img", { name: /^here: / }).waitFor();
  assert.ok((await clusters.locator("svg.lane rect.bar.bench").count()) > 0);
  await page.getByText(/^Cluster dark is paused: .*has no backend `absent`/).waitFor();
  await clusters.getByRole("button", { name: "Clusters as a table" }).press("Enter");
  const failed = clusters.locator("tbody tr", { hasText: "dark" }).filter({ hasText: "failed: " });
  await failed.first().waitFor({ timeout: SOON });
  await close();
});

test("workers have a version, a cluster and a clock; a paused cluster has its reason, and is resumed if one is sure", async () => {
  const { version } = await call("/health");
  const { workers } = await call("/v1/workers");
  const { page, close } = await open("#/workers");
  const row = page.getByRole("region", { name: "Workers, table" }).locator("tbody tr").first();
  await row.waitFor({ timeout: SOON });
  const [stage, cluster, runs, heard, , , ended, clock] = await row.getByRole("cell").allTextContents();
  assert.match(stage, /^(apply|load|bench|collect)$/);
  assert.ok(cluster.length > 0);
  assert.equal(runs, version);
  assert.match(heard, /ago$/);
  assert.ok(Number(ended) >= workers[0].ended_steps && workers[0].ended_steps > 0, ended);
  assert.equal(clock, "in step");
  const dark = page.getByRole("region", { name: "Clusters, table" }).locator("tr", { has: page.getByRole("rowheader", { name: "dark" }) });
  await dark.getByText(/has no backend `absent`/).waitFor({ timeout: SOON });
  await dark.getByText("paused", { exact: true }).waitFor();
  await dark.getByRole("button", { name: "Resume dark" }).click();
  await yes(page, "Not now");
  assert.equal((await call("/v1/clusters")).clusters.find((c) => c.name === "dark").health, "paused");
  await close();
});

test("a trial's page has its values, every attempt with its length, the raw output and where its servers landed", async () => {
  const { trials } = await call(`/v1/experiments/${experiment}/trials?limit=10`);
  const trial = trials.find((t) => t.number === 1);
  const { page, close } = await open(`#/trial/${trial.id}`);
  const value = page.getByRole("region", { name: "parameter, table" }).locator("tr", { has: page.getByRole("rowheader", { name: "n", exact: true }) });
  await value.getByText(String(trial.parameters.n), { exact: true }).waitFor({ timeout: SOON });
  const attempts = page.getByRole("table", { name: "Every attempt at every step" }).locator("tbody tr");
  const steps = await attempts.getByRole("rowheader").allTextContents();
  assert.deepEqual(steps.slice(0, 4), ["apply run", "load run", "bench run", "collect run"]);
  const bench = attempts.nth(2);
  assert.match(await bench.getByRole("cell").nth(2).textContent(), /\d+ (ms|s)/);
  await bench.locator("summary", { hasText: "stdout" }).click();
  await bench.locator("pre.log", { hasNotText: "Loading" }).waitFor({ timeout: SOON });
  const { epochs } = await call(`/v1/trials/${trial.id}`);
  const [[server, host]] = Object.entries(epochs[0].outputs.bench.placement);
  const main = await page.locator("main").textContent();
  assert.ok(main.includes(server) && main.includes(host), main);
  await close();
});

test("experiments that were ticked are compared, each against its own baseline", async () => {
  const { page, close } = await open("#/");
  const names = [experiment, "scheduler-weights"];
  for (const name of names) {
    const card = page.locator("article", { has: page.getByRole("link", { name, exact: true }) }).first();
    await card.getByLabel("Compare").check({ timeout: SOON });
  }
  await page.getByRole("link", { name: "Compare 2" }).click();
  const title = "Best so far against the own baseline";
  const figure = page.locator("section.figure", { has: page.getByRole("heading", { name: title }) });
  await figure.getByRole("button", { name: `${title} as a table` }).press("Enter", { timeout: SOON });
  for (const name of names) {
    const gain = figure.locator("tr", { has: page.getByRole("cell", { name, exact: true }) }).getByRole("cell").last();
    assert.match(await gain.textContent(), /%$|no gain known/);
  }
  await close();
});

test("a trial that waits is given up, and an experiment stopped and cancelled", async () => {
  const { spec } = await call(`/v1/experiments/${experiment}`);
  for (const [name, verb] of [
    ["stopped", "Stop"],
    ["cancelled", "Cancel"],
  ]) {
    const { id } = await call("/v1/experiments", { ...spec, name, clusters: [`${name}-lab`] });
    await call(`/v1/experiments/${name}/pause`, {});
    const { id: waits } = await call(`/v1/experiments/${name}/trials`, { parameters: { x: 1, n: 1 } });
    if (verb === "Stop") {
      const trial = await open(`#/trial/${waits}`);
      await trial.page.getByRole("button", { name: "Give up" }).click();
      await yes(trial.page, "Give up");
      await trial.page.getByText("abandoned", { exact: true }).waitFor({ timeout: SOON });
      await trial.close();
    }
    const { page, close } = await open(`#/experiment/${id}`);
    await page.getByRole("button", { name: verb, exact: true }).click();
    await yes(page, verb);
    await page.getByLabel("Standing").getByText("ended", { exact: true }).waitFor({ timeout: SOON });
    const { outcome } = await call(`/v1/trials/${waits}`);
    assert.equal(outcome, "abandoned");
    await close();
  }
});
