// A browser, and tabs that are unlocked and note what they did wrong.

import { chromium } from "playwright-core";

export const { AUTOOPT_URL: url, AUTOOPT_TOKEN: token, AUTOOPT_ADA: ada, AUTOOPT_EXPERIMENT: experiment, AUTOOPT_SHOTS: shots } = process.env;
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
export const SOON = 15_000;

let browser;
export const begin = async () => (browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS }));
export const end = () => browser?.close();
export const blank = () => browser.newContext();

/** Asks the API. */
export const call = (path, body, headers = {}) =>
  fetch(url + path, {
    method: body ? "POST" : "GET",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
    body: body && JSON.stringify(body),
  }).then((response) => response.json());

/** A tab that was unlocked, and what it did wrong. */
export async function open(hash, { colorScheme = "light", width = 1280, word = token, prepare = async () => undefined } = {}) {
  const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 }, bypassCSP: false });
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    wrong.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("console", (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) wrong.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(url)) wrong.push(`outside request: ${request.url()}`);
  });
  await context.addInitScript((word) => sessionStorage.setItem("autoopt.token", word), word);
  await prepare(page, context);
  await page.goto(`${url}/${hash}`);
  await page.locator("h1").first().waitFor({ timeout: SOON });
  return { page, context, wrong, close: () => context.close() };
}

/** Loaded to its foot, and still. */
export async function settled(page) {
  const loaded = () => page.waitForFunction(() => !document.querySelector(".loading"), undefined, { timeout: SOON });
  await loaded();
  // what is asked for when it is about to be seen
  await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
  await page.waitForTimeout(200);
  await loaded();
  await page.evaluate(() => scrollTo(0, 0));
  await page.waitForTimeout(300);
}
