/** Of PostgreSQL 9.6 to 18 on Linux; `sha-256` is KingbaseES' own (public sample file, B0290). */
const methods: ReadonlySet<string> = new Set([
  "trust",
  "reject",
  "md5",
  "sha-256",
  "scram-sha-256",
  "password",
  "gss",
  "ident",
  "peer",
  "pam",
  "ldap",
  "radius",
  "cert",
  "oauth",
]);

const mapMethods: readonly string[] = ["ident", "peer", "gss", "cert", "oauth"];
/** The options, each with the methods that take it; null for all. */
const options: readonly (readonly [RegExp, readonly string[] | null])[] = [
  [/^(?:clientcert|clientname)$/, null],
  [/^map$/, mapMethods],
  [/^(?:pamservice|pam_use_hostname)$/, ["pam"]],
  [/^ldap(?:url|tls|scheme|server|port|binddn|bindpasswd|search(?:attribute|filter))$/, ["ldap"]],
  [/^ldap(?:basedn|prefix|suffix)$/, ["ldap"]],
  [/^(?:krb_realm|include_realm|compat_realm|upn_username)$/, ["gss"]],
  [/^radius(?:server|secret|port|identifier)s?$/, ["radius"]],
  [/^(?:issuer|scope|validator|delegate_ident_mapping)$/, ["oauth"]],
];

/** Why the server refuses the file for this rule's way in; null when it takes it. By parse_hba_line() of hba.c. */
export function methodProblem(rule: {
  readonly type: string;
  readonly method: string;
  readonly options: readonly string[];
}): string | null {
  const { type, method } = rule;
  if (!methods.has(method)) return `${method} is no authentication method`;
  if (method === "peer" && type !== "local") return "peer is for local connections only";
  if (method === "gss" && type === "local") return "gss is not for local connections";
  if (method === "cert" && type !== "hostssl") return "cert is for hostssl connections only";
  for (const option of rule.options) {
    const equals = option.indexOf("=");
    const name = option.slice(0, equals);
    const known = options.find(([pattern]) => pattern.test(name));
    // The value may be a password.
    if (equals === -1) return "an option has no =";
    if (known === undefined) return `${name} is no authentication option`;
    if (known[1]?.includes(method) === false) return `${method} takes no option ${name}`;
    if (known[1] === null && type !== "hostssl") return `${name} is for hostssl connections only`;
  }
  return null;
}
