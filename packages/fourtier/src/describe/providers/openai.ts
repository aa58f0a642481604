/**
 * Any server that speaks OpenAI's chat-completions protocol: OpenAI itself, vLLM, Ollama, llama.cpp, LM Studio, TGI,
 * OpenRouter and the like.
 */

import { quotaPause } from "../../util/rate-headers.ts"
import { type LiveProvider, ProviderError } from "../provider.ts"
import { callChat, chatBody, fieldsOf, identityOf, openChat, readCompletion } from "./openai-chat.ts"
import type { OpenaiSettings } from "./openai-settings.ts"

/** Opens provider `openai`. What a server refuses (see openai-adapt.ts) is left out from its first complaint on. */
export function openOpenai(config: OpenaiSettings): LiveProvider {
  const chat = openChat(config)
  const { address, adaptations } = chat
  return {
    mode: "live",
    kind: "openai",
    model: config.model,
    settings: identityOf(config),
    destination: address.destination,
    local: address.local,
    usesStrip: true,
    concurrency: { initial: Math.min(4, config.concurrency), max: config.concurrency },
    async ask(question, signal) {
      const without = adaptations.names()
      const body = await chatBody(config, question, adaptations)
      try {
        return await callChat(chat, config.timeout, signal, async (both) => {
          const response = await chat.client.chat.completions.create(body, { signal: both }).asResponse()
          const { headers } = response
          const reply = readCompletion(await response.text(), headers, address.plain)
          const pause = quotaPause(headers)
          const adapted = without.length > 0 ? { adapted: without } : {}
          return { ...reply, ...adapted, ...(pause === undefined ? {} : { pause }) }
        })
      } catch (error) {
        throw error instanceof ProviderError ? adaptations.adapt(error, fieldsOf(body), without) : error
      }
    },
  }
}
