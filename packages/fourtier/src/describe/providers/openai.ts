/**
 * Any server that speaks OpenAI's chat-completions protocol: OpenAI itself, vLLM, Ollama, llama.cpp, LM Studio, TGI,
 * OpenRouter and the like.
 */

import { quotaPause } from "../../util/back-off.ts"
import { type LiveProvider, ProviderError, type Question, type Reply } from "../provider.ts"
import { callChat, chatBody, identityOf, openChat, readCompletion } from "./openai-chat.ts"
import type { OpenaiSettings } from "./openai-settings.ts"

/** Opens provider `openai`. A server that knows no JSON schemas is asked without one from its first complaint on. */
export function openOpenai(config: OpenaiSettings): LiveProvider {
  const chat = openChat(config)
  let structured = true
  const ask = async (question: Question, schema: boolean, signal: AbortSignal): Promise<Reply> => {
    const body = await chatBody(config, question, schema)
    return callChat(chat, config.timeout, signal, async (both) => {
      const response = await chat.client.chat.completions.create(body, { signal: both }).asResponse()
      const text = await response.text()
      const pause = quotaPause(response.headers)
      return { ...readCompletion(text, chat.address), ...(pause === undefined ? {} : { pause }) }
    })
  }
  return {
    mode: "live",
    kind: "openai",
    model: config.model,
    settings: identityOf(config),
    destination: chat.local ? `${chat.address} (this machine)` : chat.address,
    usesStrip: true,
    concurrency: { initial: Math.min(4, config.concurrency), max: config.concurrency },
    async ask(question, signal) {
      const schema = structured && question.schema !== null
      try {
        return await ask(question, schema, signal)
      } catch (error) {
        const unknown = error instanceof ProviderError && error.verdict === "rejected"
        if (!schema || !unknown || !/response_format|json_schema/i.test(error.message)) throw error
        structured = false
        return ask(question, false, signal)
      }
    },
  }
}
