import type { ServerResponse } from "node:http";
import type * as z from "zod";
import { Failure } from "#shared/errors.ts";

/** What a handler gets: the path's parameters, the query, the validated body. */
export type Call<Body> = {
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: Body;
};

type Answer = { readonly method: "GET"; readonly path: string; readonly answer: (call: Call<null>) => unknown }; // prettier-ignore
type Stream = { readonly method: "GET"; readonly path: string; readonly stream: (call: Call<null>, response: ServerResponse) => void }; // prettier-ignore
type Post = { readonly method: "POST"; readonly path: string; readonly schema: z.ZodType | null; readonly answer: (call: Call<unknown>) => unknown }; // prettier-ignore
/** One row of the route table; `:name` in the path is a parameter. */
export type Route = Answer | Stream | Post;

export function get(path: string, answer: Answer["answer"]): Route {
  return { method: "GET", path, answer };
}

export function watch(path: string, stream: Stream["stream"]): Route {
  return { method: "GET", path, stream };
}

/** A body of this schema; null for a call that needs none. */
export function post<T>(
  path: string,
  schema: z.ZodType<T>,
  answer: (call: Call<T>) => unknown,
): Route {
  return {
    method: "POST",
    path,
    schema,
    // The server hands over what this very schema has parsed.
    answer: (call) => answer(call as Call<T>),
  };
}

export function postEmpty(path: string, answer: (call: Call<unknown>) => unknown): Route {
  return { method: "POST", path, schema: null, answer };
}

export type Match = {
  readonly route: Route;
  readonly parameters: Readonly<Record<string, string>>;
};

/** @throws Failure NOT_FOUND; USAGE for a known path with another method. */
export function findRoute(routes: readonly Route[], method: string, pathname: string): Match {
  const matches = routes.flatMap((route) => {
    const parameters = matchPath(route.path, pathname);
    return parameters === null ? [] : [{ route, parameters }];
  });
  const match = matches.find(({ route }) => route.method === method);
  if (match !== undefined) return match;
  if (matches.length > 0) throw new Failure("USAGE", `${pathname} can't be asked with ${method}.`);
  throw new Failure("NOT_FOUND", `There is no ${pathname} in this API.`);
}

function matchPath(pattern: string, pathname: string): Record<string, string> | null {
  const wanted = pattern.split("/");
  const found = pathname.split("/");
  if (wanted.length !== found.length) return null;
  const parameters: Record<string, string> = {};
  for (const [i, part] of wanted.entries()) {
    const text = found[i] ?? "";
    if (!part.startsWith(":")) {
      if (part !== text) return null;
    } else {
      const value = decodePart(text);
      if (value === null || value === "") return null;
      parameters[part.slice(1)] = value;
    }
  }
  return parameters;
}

function decodePart(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
