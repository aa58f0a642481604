/** What answers cost: a price file that people can edit, image-token rules, and a purse that says stop in time. */

import { FourtierError, nearest } from "@fourtier/tensor"
import { readJson } from "@fourtier/tensor/node"
import { z } from "zod"

const imageRule = z.discriminatedUnion("rule", [
  /** Shrunk to 2048² and a short side of 768, then `tile` tokens for each 512² tile, plus `base`. Low detail: `base`. */
  z.strictObject({ rule: z.literal("tiles"), base: z.number(), tile: z.number() }),
  /** One token for each 32² patch, `most` at most, times `factor`. */
  z.strictObject({ rule: z.literal("patches"), most: z.number(), factor: z.number() }),
  z.strictObject({ rule: z.literal("fixed"), tokens: z.number() }),
])

const priceSchema = z.strictObject({
  /** US dollars a million tokens. */
  input: z.number().nonnegative(),
  output: z.number().nonnegative(),
  image: imageRule,
})

const pricesSchema = z.record(z.string(), priceSchema)

export type Price = z.infer<typeof priceSchema>

/**
 * List prices at the time of writing, US dollars a million tokens: a start for one's own price file, not a promise.
 * A model is found by its longest name here that begins its own ("gpt-4o-2024-11-20" by "gpt-4o").
 */
export const listPrices: Record<string, Price> = {
  "gpt-4o": { input: 2.5, output: 10, image: { rule: "tiles", base: 85, tile: 170 } },
  "gpt-4o-mini": { input: 0.15, output: 0.6, image: { rule: "tiles", base: 2833, tile: 5667 } },
  "gpt-4.1": { input: 2, output: 8, image: { rule: "tiles", base: 85, tile: 170 } },
  "gpt-4.1-mini": { input: 0.4, output: 1.6, image: { rule: "patches", most: 1536, factor: 1.62 } },
  "gpt-4.1-nano": { input: 0.1, output: 0.4, image: { rule: "patches", most: 1536, factor: 2.46 } },
  "gpt-5": { input: 1.25, output: 10, image: { rule: "tiles", base: 70, tile: 140 } },
  "gpt-5-mini": { input: 0.25, output: 2, image: { rule: "patches", most: 1536, factor: 1.62 } },
  "gpt-5-nano": { input: 0.05, output: 0.4, image: { rule: "patches", most: 1536, factor: 2.46 } },
  "gpt-4-turbo": { input: 10, output: 30, image: { rule: "tiles", base: 85, tile: 170 } },
}

/** Reads a price file. @throws FourtierError with the entry at fault */
export async function readPrices(file: string): Promise<Record<string, Price>> {
  const parsed = pricesSchema.safeParse(await readJson(file))
  if (parsed.success) return parsed.data
  throw new FourtierError({
    where: file,
    what: "not a price file",
    expected: JSON.stringify({ "model-name": listPrices["gpt-4o"] }),
    found: z.prettifyError(parsed.error),
  })
}

/** The price of a model; a batch costs half. `undefined` when no entry fits. */
export function priceOf(model: string, prices: Record<string, Price>, batch = false): Price | undefined {
  const name = model.slice(model.lastIndexOf("/") + 1)
  const fits = Object.keys(prices).filter((entry) => model.startsWith(entry) || name.startsWith(entry))
  const best = fits.sort((a, b) => b.length - a.length)[0]
  if (best === undefined) return undefined
  const price = prices[best]
  return batch ? { ...price, input: price.input / 2, output: price.output / 2 } : price
}

/** @throws FourtierError when a budget is set and the model has no price */
export function requirePrice(model: string, prices: Record<string, Price>, batch: boolean): Price {
  const price = priceOf(model, prices, batch)
  if (price) return price
  const near = nearest(model, Object.keys(prices))
  throw new FourtierError({
    where: "budget",
    what: `no price is known for model "${model}"`,
    fix: `add it to a price file (--prices; "fourtier describe prices" prints one to start from)${near ? `; nearest entry: ${near}` : ""}`,
  })
}

/** Tokens that an image of this size counts as. */
export function imageTokens(rule: Price["image"], width: number, height: number, detail = "auto"): number {
  if (rule.rule === "fixed") return rule.tokens
  if (rule.rule === "patches") {
    const patches = Math.ceil(width / 32) * Math.ceil(height / 32)
    return Math.ceil(Math.min(patches, rule.most) * rule.factor)
  }
  if (detail === "low") return rule.base
  const fit = Math.min(1, 2048 / Math.max(width, height))
  const shrink = fit * Math.min(1, 768 / (fit * Math.min(width, height)))
  const tiles = Math.ceil((width * shrink) / 512) * Math.ceil((height * shrink) / 512)
  return rule.base + tiles * rule.tile
}

/** About how many tokens a text is: four characters each, as is usual for English. */
export function textTokens(text: string): number {
  return Math.ceil(text.length / 4)
}

/** US dollars. */
export function costOf(price: Price, inputTokens: number, outputTokens: number): number {
  return (price.input * inputTokens + price.output * outputTokens) / 1e6
}

/** "5usd", "$5", "0.50 USD" or a bare number, in US dollars. */
export function parseBudget(text: string): number {
  const match = /^\s*\$?\s*(\d+(?:\.\d+)?)\s*(usd|\$)?\s*$/i.exec(text)
  if (match) return Number(match[1])
  throw new FourtierError({
    where: "--budget",
    what: "not an amount",
    expected: "for example 5usd or 0.50",
    found: text,
  })
}

/** Counts requests and dollars, and refuses the request that would go over. */
export class Purse {
  spent = 0
  requests = 0
  /** Why no further request may start. */
  empty: "budget" | "limit" | null = null
  readonly price: Price | undefined
  readonly #budget: number
  readonly #limit: number
  #reserved = 0
  #guess: number
  #replies = 0

  /** @param guess expected dollars a request, until replies tell */
  constructor(options: {
    price: Price | undefined
    budget?: number | undefined
    limit?: number | undefined
    guess: number
  }) {
    this.price = options.price
    this.#budget = options.budget ?? Number.POSITIVE_INFINITY
    this.#limit = options.limit ?? Number.POSITIVE_INFINITY
    this.#guess = options.guess
  }

  /** Asks for leave to send one request. @returns what to hand to `pay` or `refund`, or null when the purse is empty */
  reserve(): number | null {
    this.empty =
      this.requests >= this.#limit
        ? "limit"
        : this.spent + this.#reserved + this.#guess > this.#budget
          ? "budget"
          : null
    if (this.empty) return null
    this.requests++
    this.#reserved += this.#guess
    return this.#guess
  }

  /** A reply came. @returns its cost in dollars, undefined without a price */
  pay(reserved: number, inputTokens: number | null, outputTokens: number | null): number | undefined {
    this.#reserved -= reserved
    if (!this.price) return undefined
    const cost =
      inputTokens === null || outputTokens === null ? reserved : costOf(this.price, inputTokens, outputTokens)
    this.spent += cost
    this.#replies++
    this.#guess = this.spent / this.#replies
    return cost
  }

  /** The request failed and cost nothing. */
  refund(reserved: number): void {
    this.#reserved -= reserved
    this.requests--
  }
}
