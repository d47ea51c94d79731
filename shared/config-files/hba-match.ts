import type { HbaConf, HbaRule } from "./hba.ts";
import type { HbaToken } from "./hba-fields.ts";
import { type IpAddress, isInRange, parseIp, prefixMask } from "./ip-address.ts";

/** A connection as the server sees it. */
export type HbaQuery = {
  readonly type: "local" | "host";
  readonly database: string;
  readonly user: string;
  /** Of the client; null for `local`. */
  readonly address: string | null;
  /** A physical replication connection: it matches the word `replication` only, and `all` never means it. */
  readonly replication: boolean;
  readonly ssl?: boolean;
  /** Encrypted by GSSAPI. */
  readonly gss?: boolean;
};

export type HbaMatchOptions = {
  /** KingbaseES V8R3 folds names to upper case unless they are quoted; PostgreSQL compares them as they are. */
  readonly caseRule?: "exact" | "upper-fold";
  /** The server's own addresses with their prefix lengths, for samehost and samenet. */
  readonly localNetworks?: readonly { readonly address: string; readonly prefix: number }[];
};

export type HbaMatch = {
  readonly line: number;
  /** Null for an include, whose rules aren't known here. */
  readonly rule: HbaRule | null;
  /** Why it isn't sure that this line matches (group, host name, include …); null when it is sure. */
  readonly undecidable: string | null;
};

type Verdict = "yes" | "no" | { readonly because: string };

/**
 * The line that decides, null when none does (the server then refuses). A line that may or may not match is returned
 * with its reason rather than guessed at: nothing after it can be relied on.
 */
export function firstMatch(
  conf: HbaConf,
  query: HbaQuery,
  options: HbaMatchOptions = {},
): HbaMatch | null {
  const client = query.address === null ? null : parseIp(query.address);
  if (query.type === "host" && client === null) {
    throw new RangeError(`${JSON.stringify(query.address)} is no client address`);
  }
  let nextInclude = 0;
  const includeBefore = (line: number): HbaMatch | null => {
    const include = conf.includes[nextInclude];
    if (include === undefined || include.line > line) return null;
    nextInclude += 1;
    return { line: include.line, rule: null, undecidable: `rules come from ${include.text}` };
  };
  for (const rule of conf.rules) {
    const include = includeBefore(rule.line);
    if (include !== null) return include;
    const verdict = judge(rule, query, client, options);
    if (verdict === "no") continue;
    const undecidable = verdict === "yes" ? null : verdict.because;
    return { line: rule.line, rule, undecidable };
  }
  return includeBefore(Number.POSITIVE_INFINITY);
}

function judge(
  rule: HbaRule,
  query: HbaQuery,
  client: IpAddress | null,
  options: HbaMatchOptions,
): Verdict {
  const verdicts: readonly (() => Verdict)[] = [
    () => judgeType(rule, query),
    () => judgeAddress(rule, client, options),
    () => anyOf(rule.databases, (token) => judgeDatabase(token, query, options)),
    () => anyOf(rule.users, (token) => judgeUser(token, query, options)),
  ];
  let unsure: Verdict = "yes";
  for (const verdict of verdicts) {
    const found = verdict();
    if (found === "no") return "no";
    if (found !== "yes" && unsure === "yes") unsure = found;
  }
  return unsure;
}

function judgeType(rule: HbaRule, query: HbaQuery): Verdict {
  switch (rule.type) {
    case "local":
      return sure(query.type === "local");
    case "host":
      return sure(query.type === "host");
    case "hostssl":
      return sure(query.type === "host" && query.ssl === true);
    case "hostnossl":
      return sure(query.type === "host" && query.ssl !== true);
    case "hostgssenc":
      return sure(query.type === "host" && query.gss === true);
    case "hostnogssenc":
      return sure(query.type === "host" && query.gss !== true);
  }
}

function judgeAddress(rule: HbaRule, client: IpAddress | null, options: HbaMatchOptions): Verdict {
  const address = rule.address;
  if (address === null || client === null) return "yes";
  switch (address.kind) {
    case "all":
      return "yes";
    case "range":
      return sure(isInRange(client, address.base, address.mask));
    case "name":
      return { because: `it depends on what the server resolves ${address.name} to` };
    case "samehost":
    case "samenet":
      break;
  }
  const { localNetworks } = options;
  if (localNetworks === undefined) {
    return { because: `the server's addresses, which ${address.kind} means, aren't known` };
  }
  for (const network of localNetworks) {
    const base = parseIp(network.address);
    if (base === null) continue;
    const full = base.family === 4 ? 32 : 128;
    const mask = prefixMask(base.family, address.kind === "samehost" ? full : network.prefix);
    if (mask !== null && isInRange(client, base, mask)) return "yes";
  }
  return "no";
}

function judgeDatabase(token: HbaToken, query: HbaQuery, options: HbaMatchOptions): Verdict {
  const keyword = token.quoted ? "" : token.value;
  if (query.replication) return sure(keyword === "replication");
  switch (keyword) {
    case "all":
      return "yes";
    case "replication":
      return "no";
    case "sameuser":
      return sure(fold(query.database, false, options) === fold(query.user, false, options));
    case "samegroup":
    case "samerole":
      return {
        because: `it depends on whether ${query.user} is a member of role ${query.database}`,
      };
    default:
      return judgeName(token, query.database, options);
  }
}

function judgeUser(token: HbaToken, query: HbaQuery, options: HbaMatchOptions): Verdict {
  if (!token.quoted && token.value === "all") return "yes";
  if (!token.quoted && token.value.startsWith("+")) {
    return {
      because: `it depends on whether ${query.user} is a member of ${token.value.slice(1)}`,
    };
  }
  return judgeName(token, query.user, options);
}

function judgeName(token: HbaToken, name: string, options: HbaMatchOptions): Verdict {
  if (!token.quoted && token.value.length > 1 && token.value.startsWith("@")) {
    return { because: `names come from the file ${token.value.slice(1)}` };
  }
  if (token.value.startsWith("/")) {
    return { because: `${token.value} is a pattern from PostgreSQL 16 on and a name before` };
  }
  return sure(fold(token.value, token.quoted, options) === fold(name, false, options));
}

function fold(name: string, quoted: boolean, options: HbaMatchOptions): string {
  return options.caseRule === "upper-fold" && !quoted ? name.toUpperCase() : name;
}

function anyOf(tokens: readonly HbaToken[], verdictOf: (token: HbaToken) => Verdict): Verdict {
  let unsure: Verdict = "no";
  for (const token of tokens) {
    const verdict = verdictOf(token);
    if (verdict === "yes") return "yes";
    if (verdict !== "no" && unsure === "no") unsure = verdict;
  }
  return unsure;
}

function sure(matches: boolean): Verdict {
  return matches ? "yes" : "no";
}
