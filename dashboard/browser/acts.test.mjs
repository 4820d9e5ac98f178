// Acts, and who the log says did them; a browser that slept.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ada, begin, call, end, experiment, open, settled, SOON } from "./tab.mjs";

before(begin);
after(end);

const id = async () => (await call(`/v1/experiments/${experiment}`)).id;

/** Answers the question that is open with its own word. */
const yes = (page, name) => page.getByRole("dialog").getByRole("button", { name, exact: true }).click();

test("the log says who did it: by a token of their own, or by their own word", async () => {
  for (const [word, who] of [
    [ada, "ada"],
    [undefined, "grace (as they say)"],
  ]) {
    const { page, close } = await open(`#/experiment/${await id()}`, word ? { word } : {});
    await page.getByRole("button", { name: "Pause" }).click();
    if (word) await page.getByRole("dialog").getByText("The log will say that ada did it.").waitFor({ timeout: SOON });
    else await page.getByRole("dialog").getByLabel("Your name, for the log").fill("grace");
    await yes(page, "Pause");
    await page.getByRole("button", { name: "Resume" }).click();
    await yes(page, "Resume");
    await page.getByRole("button", { name: "Pause" }).waitFor({ timeout: SOON });
    await page.getByRole("link", { name: "Log" }).click();
    await page.locator("tr", { hasText: "resumed by a person" }).first().getByRole("cell", { name: who, exact: true }).waitFor({ timeout: SOON });
    await close();
  }
});

test("a trial that ended is run again from its page", async () => {
  const { trials } = await call(`/v1/experiments/${experiment}/trials?limit=10`);
  const first = trials.find((t) => t.number === 1);
  const { accepted } = await call(`/v1/experiments/${experiment}`);
  const { page, close } = await open(`#/trial/${first.id}`);
  await page.getByRole("button", { name: "Run again" }).click();
  await yes(page, "Run again");
  await page.getByText("Run again: done.").waitFor({ timeout: SOON });
  const all = await call(`/v1/experiments/${experiment}/trials?limit=1000`);
  const repeated = all.trials.find((t) => t.number === accepted + 1);
  assert.deepEqual([repeated.parameters, repeated.note], [first.parameters, "trial 1 again"]);
  await close();
});

test("a dead letter is shown as text and sent again; what is not mended comes back", async () => {
  const before = await call("/v1/dead-letters");
  assert.equal(before.letters.length, 1);
  const { page, wrong, close } = await open("#/workers");
  const letters = page.getByRole("region", { name: "Dead letters, table" });
  await letters.getByRole("button", { name: "Send again" }).click();
  await yes(page, "Send again");
  await page.getByText("Send again: done.").waitFor({ timeout: SOON });
  await page.getByRole("link", { name: "Log" }).click();
  await page.getByText("a dead letter for `trial` was sent again by a person").waitFor({ timeout: SOON });
  await page.getByRole("link", { name: "Workers" }).click();
  await letters.getByRole("button", { name: "Send again" }).waitFor({ timeout: SOON });
  await letters.locator("summary").first().click();
  await letters.getByText("<script>alert(1)</script>").first().waitFor();
  assert.deepEqual(wrong, []);
  await close();
});

test("a browser that slept for an hour without a network has what it missed once it is awake", async () => {
  const prepare = (page) => page.clock.install();
  const { page, context, close } = await open(`#/experiment/${await id()}`, { prepare });
  await page.getByText(/^Live/).waitFor({ timeout: SOON });
  await settled(page);
  await context.setOffline(true);
  await page.clock.fastForward("01:00:00");
  const { id: missed, number } = await call(`/v1/experiments/${experiment}/trials`, { parameters: { x: -3.5, n: 4 }, note: "while it slept" });
  while (!(await call(`/v1/trials/${missed}`)).ended);
  const row = page.locator(`tr:has(a[href="#/trial/${missed}"]):has-text("measured")`);
  await page.getByText(/^Stream away/).waitFor({ timeout: SOON });
  assert.equal(await row.count(), 0);
  await context.setOffline(false);
  await row.waitFor({ timeout: SOON });
  await page.getByText(/^Live/).waitFor({ timeout: SOON });
  // the log missed nothing either: the stream went on where it broke off
  await page.getByRole("link", { name: "Log" }).click();
  await page.getByText(`trial ${number} by hand accepted: while it slept`).first().waitFor({ timeout: SOON });
  await page.getByText(`trial ${number} ended measured`).first().waitFor({ timeout: SOON });
  await close();
});
