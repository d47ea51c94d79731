import { Failure } from "#shared/errors.ts";
import type { AlertMessage, Rendered } from "./alert-message.ts";
import { readSecretFile, readSmallFile } from "./secret-file.ts";
import { scrub } from "./scrub.ts";
import { signBody } from "./signatures.ts";
import type { Sink, Told } from "./sink.ts";
import { isRobot, type WebhookSettings } from "./sink-settings.ts";
import { renderForAlertmanager, repeatAlertmanagerMs } from "./templates/alertmanager.ts";
import { renderFileTemplate } from "./templates/file-template.ts";
import { renderForDingtalk, renderForFeishu, renderForWecom, renderJson } from "./templates/robots.ts"; // prettier-ignore
import { judgeAnswer } from "./webhook-answer.ts";

/** A sink that gets a POST. URL, secret and template are read anew for each. */
export function createWebhook(settings: WebhookSettings): Sink {
  const { name, kind, minSeverity, template } = settings;
  return {
    name,
    kind,
    minSeverity,
    tell: (message, signal) => send(settings, [message], signal),
    mostPerMinute: isRobot(template) ? robotsPerMinute : null,
    repeat:
      template === "alertmanager"
        ? { everyMs: repeatAlertmanagerMs, tell: (messages, signal) => send(settings, messages, signal) } // prettier-ignore
        : null,
  };
}

/** DingTalk and WeCom docs: 20, Feishu's: 100. Some are left for `alert test`, and for what a restart has forgotten. */
const robotsPerMinute = 18;

async function send(
  settings: WebhookSettings,
  messages: readonly AlertMessage[],
  signal: AbortSignal,
): Promise<Told> {
  const [message] = messages;
  if (message === undefined) return { status: "nothing", answer: "" };
  const url = urlOf(settings);
  const secret = settings.secretFile === null ? null : readSecretFile(settings.secretFile).reveal();
  const { body, query = {}, headers = {} } = render(settings.template, message, messages, secret);
  const place = url.origin;
  const asked = new URL(url);
  for (const [key, value] of Object.entries(query)) asked.searchParams.set(key, value);
  const limit = AbortSignal.timeout(settings.timeoutMs);
  try {
    const response = await fetch(asked, {
      method: "POST",
      redirect: "manual",
      signal: AbortSignal.any([signal, limit]),
      headers: {
        "content-type": "application/json; charset=utf-8",
        "user-agent": "castellan",
        // One that a server has closed meanwhile would cost the alert a retry.
        connection: "close",
        "x-castellan-event": message.change.eventId,
        ...headers,
      },
      body,
    });
    return judgeAnswer(place, settings.template, {
      status: response.status,
      body: scrub(await readBeginning(response), asked, secret),
      movedTo: originOf(response.headers.get("location"), asked),
    });
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw unreachable(place, limit.aborted ? settings.timeoutMs : null, error);
  }
}

function render(
  template: string,
  message: AlertMessage,
  messages: readonly AlertMessage[],
  secret: string | null,
): Rendered {
  switch (template) {
    case "dingtalk":
      return renderForDingtalk(message, secret);
    case "wecom":
      return renderForWecom(message);
    case "feishu":
      return renderForFeishu(message, secret);
    case "alertmanager":
      return signed(renderForAlertmanager(messages), secret, message.now);
    case "json":
      return signed(renderJson(message), secret, message.now);
    default:
      return signed(renderFileTemplate(template, readSmallFile(template, mostTemplateBytes), message), secret, message.now); // prettier-ignore
  }
}

function signed(rendered: Rendered, secret: string | null, now: number): Rendered {
  if (secret === null) return rendered;
  return {
    ...rendered,
    headers: { "x-castellan-signature": signBody(rendered.body, secret, now) },
  };
}

function urlOf({ name, url, urlFile }: WebhookSettings): URL {
  const text = urlFile === null ? (url ?? "") : readSecretFile(urlFile).reveal();
  if (URL.canParse(text)) {
    const parsed = new URL(text);
    // Credentials in a URL are refused by fetch, with the URL in its message.
    const isUsable = /^https?:$/.test(parsed.protocol) && `${parsed.username}${parsed.password}` === ""; // prettier-ignore
    if (isUsable) return parsed;
  }
  throw new Failure("CONFIG_INVALID", `${urlFile ?? `The url of sink ${name}`} holds no http(s) URL without a password.`, { retryable: true }); // prettier-ignore
}

const mostTemplateBytes = 65_536;
const mostAnswerBytes = 4_096;

/** The rest is not waited for. */
async function readBeginning({ body }: Response): Promise<string> {
  if (body === null) return "";
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= mostAnswerBytes) break;
  }
  return Buffer.concat(chunks).toString("utf8", 0, mostAnswerBytes).trim();
}

function originOf(location: string | null, base: URL): string | null {
  return location !== null && URL.canParse(location, base.href)
    ? new URL(location, base).origin
    : null;
}

/** fetch says only "fetch failed"; why is in the cause, by its code. Its texts are not passed on: they may hold the URL. */
function unreachable(place: string, timedOutAfterMs: number | null, error: unknown): Failure {
  if (timedOutAfterMs !== null) {
    return new Failure("SINK_UNREACHABLE", `${place} has not answered within ${timedOutAfterMs} ms.`, { retryable: true }); // prettier-ignore
  }
  const code = codeOf(error);
  const isCertificate = certificateTroubles.some((part) => code.includes(part));
  return isCertificate
    ? new Failure("SINK_UNREACHABLE", `The certificate of ${place} is not trusted (${code}).`, {
        retryable: true,
        hint: "give the coordinator the authority that has signed it: NODE_EXTRA_CA_CERTS=FILE in its unit",
      })
    : new Failure("SINK_UNREACHABLE", `${place} can't be reached (${code}).`, { retryable: true });
}

const certificateTroubles = ["CERT", "SELF_SIGNED", "UNABLE_TO_VERIFY", "ALTNAME"];

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  if ("code" in error && typeof error.code === "string") return error.code;
  // The Fetch standard's list of ports that are other protocols'.
  if (error.message === "bad port") return "fetch takes no such port";
  return error.cause === undefined ? error.name : codeOf(error.cause);
}
