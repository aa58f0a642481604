/** A chat completion that comes as a stream of events although none was asked for: some gateways send nothing else. */

import { z } from "zod"

const text = z.string().nullish().catch(null)
const chunkSchema = z.object({
  choices: z
    .array(
      z.object({ finish_reason: text, delta: z.object({ content: text, refusal: text, reasoning_content: text }) }),
    )
    .catch([]),
  usage: z.unknown().optional(),
})

/**
 * The body as one completion: the parts of a stream put together, anything else as it is.
 *
 * @param body a reply's text; a stream is lines `data: {…}`, the last one `data: [DONE]`
 */
export function wholeCompletion(body: string): string {
  if (!/^\s*(?:(?::|event:).*\s+)*data:/.test(body)) return body
  const lines = body.split(/\r\n|\r|\n/).filter((line) => line.startsWith("data:"))
  const message = { role: "assistant", content: "", refusal: "", reasoning_content: "" }
  let finish: string | null = null
  let usage: unknown = null
  for (const line of lines) {
    const data = line.slice("data:".length).trim()
    if (data === "[DONE]" || data === "") continue
    const chunk = chunkSchema.safeParse(parsed(data))
    const [choice] = chunk.data?.choices ?? []
    // an error in the stream, or something else: left to those who read the whole
    if (!chunk.success || (choice === undefined && chunk.data.usage === undefined)) return data
    usage = chunk.data.usage ?? usage
    finish = choice?.finish_reason ?? finish
    for (const part of ["content", "refusal", "reasoning_content"] as const) message[part] += choice?.delta[part] ?? ""
  }
  // a stream that was cut off is no answer
  return finish === null ? body : JSON.stringify({ choices: [{ message, finish_reason: finish }], usage })
}

function parsed(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    return null
  }
}
