/** Replies that come another way than they should: through redirects, as a stream, with a wait in the words alone. */

import { join } from "node:path"
import { expect, it, describe as suite } from "vitest"
import { describe } from "../../src/describe/describe.ts"
import { resolvePrompts } from "../../src/describe/prompts.ts"
import { readWords } from "../../src/describe/providers/server-words.ts"
import { openProvider } from "../../src/describe/providers.ts"
import { clips, scratch, strips } from "./fixtures.ts"
import { completion, type Received, type Scripted, scripted } from "./scripted.ts"

const folder = scratch()
let caches = 0

/** Asks one question about one clip of a server that replies so. */
async function ask(reply: (request: Received, count: number) => Scripted) {
  const { url, received } = await scripted(reply)
  const provider = await openProvider({ kind: "openai", model: "gpt-4o", baseUrl: url })
  const cachePath = join(folder, `replies-${caches++}.jsonl`)
  const common = {
    clips: clips(1),
    prompts: resolvePrompts(["A"]),
    strips,
    provider,
    cachePath,
    backoff: 1,
    retries: 2,
  }
  const report = await describe(common)
  return { answer: report.answers.get(clips(1)[0].id)?.A, failed: report.failed, received }
}

const redirect = (status: number, location: string): Scripted => ({ status, headers: { location }, body: "" })

suite("redirects", () => {
  it.each([307, 308])("%i within the server is followed with the question as it is", async (status) => {
    const { answer, received } = await ask(({ path }) =>
      path.startsWith("/v1/") ? redirect(status, `/v2${path.slice(3)}`) : { body: completion("two men hug") },
    )
    expect(answer).toBe("two men hug")
    expect(received.map(({ method }) => method)).toEqual(["POST", "POST"])
    expect(received[1].body).toEqual(received[0].body)
  })

  it.each([
    [
      301,
      "/v2/chat/completions",
      /301, a redirect to http:\/\/127\.0\.0\.1:\d+\/v2\/chat\/completions[\s\S]*name it: http\S+\/v2\b/,
    ],
    [302, "/login?next=%2Fv1", /302, a redirect to http:\S+\/login\n[\s\S]*A page to log in at/],
    [308, "https://elsewhere.invalid/v1/chat/completions", /elsewhere\.invalid\/v1[\s\S]*nothing was sent there/],
  ])(
    "%i to %s ends the run and says where to: images go nowhere but where they should",
    async (status, to, message) => {
      let requests = 0
      const asked = ask(() => {
        requests++
        return redirect(status, to)
      })
      await expect(asked).rejects.toThrow(message)
      expect(requests).toBe(1)
    },
  )

  it("without end are followed three times", async () => {
    let requests = 0
    const asked = ask(({ path }) => {
      requests++
      return redirect(307, path)
    })
    await expect(asked).rejects.toThrow(/a redirect to/)
    expect(requests).toBe(4)
  })
})

suite("a stream that nobody asked for", () => {
  const event = (choice: unknown, more = {}) => `data: ${JSON.stringify({ choices: [choice], ...more })}\n\n`
  const parts = ["two men ", "hug"].map((content) => event({ delta: { content }, finish_reason: null })).join("")
  const headers = { "content-type": "text/event-stream" }

  it("is put together", async () => {
    const usage = { prompt_tokens: 7, completion_tokens: 3 }
    const end = `${event({ delta: {}, finish_reason: "stop" })}${`data: ${JSON.stringify({ choices: [], usage })}\n\n`}data: [DONE]\n\n`
    const { answer, received } = await ask(() => ({ headers, body: `: keep-alive\n\n${parts}${end}` }))
    expect(answer).toBe("two men hug")
    expect(received).toHaveLength(1)
  })

  it("is no answer where it was cut off, or holds an error", async () => {
    const cut = await ask(() => ({ headers, body: parts }))
    expect([cut.answer, cut.received.length]).toEqual([undefined, 3])
    const error = `data: ${JSON.stringify({ error: { message: "the queue is full" } })}\n\n`
    const { failed } = await ask(() => ({ headers, body: `${parts}${error}` }))
    expect(failed[0].reason).toContain("the queue is full")
  })
})

it.each([
  ["Rate limit reached for gpt-4o. Please try again in 1.2s. Visit …", 1200],
  ["Please try again in 7m12.5s.", 432_500],
  ["quota exceeded, retry after 30 seconds", 30_000],
  ["try again in a while", null],
])("a wait that stands in the words: %s", (message, wait) => {
  expect(readWords(JSON.stringify({ error: { message } })).retryAfter).toBe(wait)
})
