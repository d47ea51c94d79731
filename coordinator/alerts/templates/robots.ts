import { jsonMessage, type AlertMessage, type Rendered } from "../alert-message.ts";
import { chatText, codeLine, fitLines, plainMarkdown } from "../chat-text.ts";
import { signForDingtalk, signForFeishu } from "../signatures.ts";

/** Bytes. DingTalk docs: 20000 for a message. WeCom docs: 4096 for markdown. Feishu docs: 20 KB for a request. */
const most = { dingtalk: 16_000, wecom: 4_000, feishu: 18_500 } as const;

/** DingTalk robot, `msgtype: markdown`; a signature goes into the query. */
export function renderForDingtalk(message: AlertMessage, secret: string | null): Rendered {
  const { title } = chatText(message);
  const text = markdown(message, "#### ", most.dingtalk).replaceAll("\n", "\n\n");
  return {
    body: JSON.stringify({ msgtype: "markdown", markdown: { title: plainMarkdown(title), text } }),
    ...(secret === null ? {} : { query: signForDingtalk(secret, message.now) }),
  };
}

/** WeCom robot, `msgtype: markdown`. */
export function renderForWecom(message: AlertMessage): Rendered {
  const content = markdown(message, "### ", most.wecom);
  return { body: JSON.stringify({ msgtype: "markdown", markdown: { content } }) };
}

/** Feishu robot, `msg_type: post`: plain text in lines; a signature goes into the body. */
export function renderForFeishu(message: AlertMessage, secret: string | null): Rendered {
  const { title, facts, detail } = chatText(message);
  const lines = [...facts.map(([label, text]) => `${label}: ${text}`), ...detail];
  const part = (text: string) => [{ tag: "text", text }];
  const bytesOf = (line: string): number => Buffer.byteLength(JSON.stringify(part(line))) + 1;
  const content = fitLines(lines, most.feishu, bytesOf).map(part);
  const signature = secret === null ? {} : signForFeishu(secret, message.now);
  const post = { zh_cn: { title, content } };
  return { body: JSON.stringify({ ...signature, msg_type: "post", content: { post } }) };
}

export function renderJson(message: AlertMessage): Rendered {
  return { body: JSON.stringify(jsonMessage(message)) };
}

/** A blank line between the lines would be half of a short message: DingTalk, which needs them, has more room. */
function markdown(message: AlertMessage, heading: string, mostBytes: number): string {
  const { title, facts, detail } = chatText(message);
  const lines = [
    `${heading}${plainMarkdown(title)}`,
    ...facts.map(([label, text]) => `${label}: ${codeLine(text)}`),
    ...detail.map(codeLine),
  ];
  return fitLines(lines, mostBytes).join("\n");
}
