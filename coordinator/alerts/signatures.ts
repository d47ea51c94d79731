import { createHmac } from "node:crypto";

/** `t=SECONDS,v1=HEX`: HMAC-SHA256 over `SECONDS.BODY`, so that an old message can't be sent again as a new one. */
export function signBody(body: string, secret: string, now: number): string {
  const seconds = Math.floor(now / 1000);
  const sum = createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex");
  return `t=${seconds},v1=${sum}`;
}

/** DingTalk docs, "custom robot, additional signature": in milliseconds, the secret is the key and in the text. */
export function signForDingtalk(secret: string, now: number): { timestamp: string; sign: string } {
  const timestamp = String(now);
  const sign = createHmac("sha256", secret).update(`${timestamp}\n${secret}`).digest("base64");
  return { timestamp, sign };
}

/** Feishu docs, "custom bot, signature verification": in seconds, both are the key and the text is empty. */
export function signForFeishu(secret: string, now: number): { timestamp: string; sign: string } {
  const timestamp = String(Math.floor(now / 1000));
  return { timestamp, sign: createHmac("sha256", `${timestamp}\n${secret}`).digest("base64") };
}
