// Requests to the coordinator that served this page.

import { signal } from "@preact/signals";
import type { Problem } from "./types";

const KEY = "autoopt.token";

/** The token a person typed, until the tab is closed; never part of an address. */
export const token = signal(sessionStorage.getItem(KEY) ?? "");
const NAME = "autoopt.person";
/** What a person called themselves, until the tab is closed: for the log, where no token says who they are. */
export const person = signal(sessionStorage.getItem(NAME) ?? "");

export function call(name: string): void {
  person.value = name;
  sessionStorage.setItem(NAME, name);
}

/** What the coordinator said of the token, once it wanted another one. */
export const locked = signal<string | null>(null);

/** An answer that is no success, in the API's own words. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly problems: Problem[] = [],
  ) {
    super(message);
  }
}

export function unlock(typed: string): void {
  sessionStorage.setItem(KEY, typed);
  token.value = typed;
  locked.value = null;
}

export function forget(): void {
  sessionStorage.removeItem(KEY);
  token.value = "";
  locked.value = "Type the token again to go on.";
}

/** The response to a request, whose status is a success. */
export async function request(path: string, options: RequestInit = {}): Promise<Response> {
  const headers = new Headers(options.headers);
  if (token.value) headers.set("authorization", `Bearer ${token.value}`);
  // a header takes no other characters
  const name = person.value.replace(/[^\x20-\x7e]/g, "").trim();
  if (name) headers.set("autoopt-person", name);
  let response: Response;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store" });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(0, "The coordinator does not answer. This page tries again by itself.");
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  const said: string = body?.error?.message ?? `The coordinator answered with status ${response.status}.`;
  if (response.status === 401) locked.value = token.value ? said : "This coordinator wants a token.";
  throw new ApiError(response.status, said, body?.error?.problems ?? []);
}

export async function get<T>(path: string): Promise<T> {
  return (await request(path)).json();
}

export async function post<T>(path: string, body?: unknown): Promise<T> {
  const options: RequestInit = { method: "POST" };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = { "content-type": "application/json" };
  }
  return (await request(path, options)).json();
}

/** A path whose variable parts cannot leave their place. */
export function at(strings: TemplateStringsArray, ...parts: (string | number)[]): string {
  return strings.reduce((path, text, i) => path + encodeURIComponent(String(parts[i - 1])) + text);
}
