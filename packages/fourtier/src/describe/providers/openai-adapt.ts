/**
 * What to do without when a server refuses it. Models and servers disagree on a few fields of a request; which ones a server takes
 * shows in its complaint. Each is left out or replaced from the first complaint on.
 */

import { ProviderError } from "../provider.ts"

interface Adaptation {
  /** Names it in the answers of the cache. */
  name: string
  /** Whether a complaint is about it. */
  refused: RegExp
  /** What is done from now on. */
  instead: string
}

const REFUSAL =
  /unsupported|not support|does ?n[o']t support|doesn[’']t|unknown|unrecognized|unrecognised|not permitted|not allowed|not enabled|not available|invalid|unexpected|extra (inputs|fields)|only (the default|1 )|must alternate|deprecated|use '?max_|no such/i

const ADAPTATIONS: readonly Adaptation[] = [
  {
    name: "max_tokens",
    refused: /(?<!\w)max_tokens\b(?!.*(too (large|big|long|many)|at most|exceeds|context))/i,
    instead: "max_completion_tokens is sent instead of max_tokens",
  },
  {
    name: "max_completion_tokens",
    refused: /max_completion_tokens/i,
    instead: "max_tokens is sent instead of max_completion_tokens",
  },
  { name: "temperature", refused: /\btemperature\b/i, instead: "the model's own temperature is used" },
  {
    name: "system",
    refused:
      /\b(system|developer)[ _-]?(role|message|prompt|instruction)|role['" :]+system|roles must alternate|system.{0,20}not (allowed|supported)/i,
    instead: "the system text is sent as the beginning of each question",
  },
  {
    name: "schema",
    refused: /response_format|json[_ ]schema|structured[_ ]outputs?|guided[_ ]|grammar/i,
    instead: "answers to all prompts at once are asked for without a JSON schema",
  },
  { name: "seed", refused: /(?<!\w)seed\b/i, instead: "no seed is sent" },
  {
    name: "detail",
    refused: /image_url\W+(\w+\W+)?detail|['"`. ]detail['"`]?\b.*(not|extra|unknown|unsupported)/i,
    instead: "no `detail` is sent",
  },
]

/** What one server has refused so far. */
export class Adaptations {
  readonly #refused = new Set<string>()

  /** Whether this is to be left out. */
  has(name: string): boolean {
    return this.#refused.has(name)
  }

  /** What is left out now: to be passed to `adapt` when the request made of it fails. */
  names(): readonly string[] {
    return [...this.#refused]
  }

  /**
   * Reads a complaint.
   * @param sent fields that the failed request held, by the names of this file
   * @param without what the failed request was already without
   * @returns an error `adapted`: the question may be put again; otherwise the complaint itself
   */
  adapt(complaint: ProviderError, sent: ReadonlySet<string>, without: readonly string[]): ProviderError {
    const { message, verdict } = complaint
    if ((verdict !== "rejected" && verdict !== "retry") || !REFUSAL.test(message)) return complaint
    const found = ADAPTATIONS.find(({ name, refused }) => sent.has(name) && refused.test(message))
    if (!found || without.includes(found.name)) return complaint
    this.#refused.add(found.name)
    return new ProviderError("adapted", `${message}: ${found.instead}`)
  }
}
