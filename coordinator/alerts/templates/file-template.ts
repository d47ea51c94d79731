import { Failure } from "#shared/errors.ts";
import type { AlertMessage, Rendered } from "../alert-message.ts";

/**
 * A site's own body: `{"text": "{{severity}}: {{summary}}"}`. Each field comes as the inside of a JSON string; what
 * is not known is empty.
 * @throws Failure CONFIG_INVALID with the line of a field that there is none of.
 */
export function renderFileTemplate(file: string, text: string, message: AlertMessage): Rendered {
  const fields = fieldsOf(message);
  const body = text.replace(/\{\{([^{}]*)\}\}/g, (_, given: string, at: number) => {
    const name = given.trim();
    const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (value === undefined) {
      const line = text.slice(0, at).split("\n").length;
      throw new Failure("CONFIG_INVALID", `${file}:${line}: there is no field {{${name}}}.`, {
        hint: `fields: ${Object.keys(fields).join(", ")}`,
        retryable: true,
      });
    }
    return JSON.stringify(value === null ? "" : String(value)).slice(1, -1);
  });
  return { body };
}

type Fields = Readonly<Record<string, string | number | boolean | null>>;

function fieldsOf({ change, isTest }: AlertMessage): Fields {
  const { alert, kind, changedAt, eventId } = change;
  return {
    eventId,
    event: kind,
    at: new Date(changedAt).toISOString(),
    test: isTest,
    ...alert,
    firstSeenAt: new Date(alert.firstSeenAt).toISOString(),
    lastSeenAt: new Date(alert.lastSeenAt).toISOString(),
    acknowledgedAt: alert.acknowledgedAt === null ? null : new Date(alert.acknowledgedAt).toISOString(), // prettier-ignore
  };
}
