import * as z from "zod";
import { AbsolutePath } from "#shared/domain/names.ts";
import { severities } from "../fleet/severity.ts";

/** A URL with a token in it stands in a file of mode 0600: settings.yaml is read by many, and part of backups. */
const PlainUrl = z.string().refine(isPlainUrl, {
  error: "wants http(s)://host[:port]/path; one with a token, password or query belongs into a file of mode 0600, named as urlFile",
}); // prettier-ignore

const robots = ["dingtalk", "wecom", "feishu"] as const;
const readyTemplates = ["json", "alertmanager", ...robots] as const;

const common = {
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, {
    error: "a sink's name is up to 40 lower-case letters, digits and dashes",
  }),
  minSeverity: z.enum(severities).default("info"),
  timeoutMs: z.int().min(100).max(60_000).default(5_000),
};

const WebhookSettings = z
  .strictObject({
    ...common,
    kind: z.literal("webhook"),
    url: PlainUrl.nullable().default(null),
    urlFile: AbsolutePath.nullable().default(null),
    template: z.union([z.enum(readyTemplates), AbsolutePath]).default("json"),
    /** Signs what is sent, in the way of the template. */
    secretFile: AbsolutePath.nullable().default(null),
  })
  .refine(({ url, urlFile }) => (url === null) !== (urlFile === null), {
    error: "wants either url or urlFile",
  })
  .refine(({ template, url }) => url === null || !isRobot(template), {
    error: "the URL of a robot is a secret: put it into a file of mode 0600, named as urlFile",
    path: ["url"],
  })
  .refine(({ template, secretFile }) => template !== "wecom" || secretFile === null, {
    error: "a WeCom robot has no secret beside its URL",
    path: ["secretFile"],
  })
  .refine(({ template, url }) => template !== "alertmanager" || url === null || url.endsWith("/api/v2/alerts"), {
    error: "Alertmanager takes alerts at …/api/v2/alerts",
    path: ["url"],
  }); // prettier-ignore
export type WebhookSettings = z.infer<typeof WebhookSettings>;

const CommandSettings = z.strictObject({
  ...common,
  kind: z.literal("command"),
  /** Program and arguments: no shell. The alert comes on standard input. */
  argv: z.tuple([AbsolutePath], z.string()),
});
export type CommandSettings = z.infer<typeof CommandSettings>;

export const SinksSettings = z
  .array(z.discriminatedUnion("kind", [WebhookSettings, CommandSettings]))
  .max(50)
  .refine((sinks) => new Set(sinks.map(({ name }) => name)).size === sinks.length, {
    error: "two sinks have the same name",
  });
export type SinkSettings = z.infer<typeof SinksSettings>[number];

export function isRobot(template: string): boolean {
  return robots.some((robot) => robot === template);
}

function isPlainUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  const isHttp = url.protocol === "http:" || url.protocol === "https:";
  return isHttp && `${url.search}${url.hash}${url.username}${url.password}` === "";
}
