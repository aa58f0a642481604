/** What answers cost: prices, which people can edit in a file, and how many tokens an image counts as. */

import { FourtierError, nearest } from "@fourtier/tensor"
import { z } from "zod"

const imageRule = z.discriminatedUnion("rule", [
  /** Shrunk to 2048² and a short side of 768, then `tile` tokens per tile of 512², plus `base`. Low detail: `base`. */
  z.strictObject({ rule: z.literal("tiles"), base: z.number(), tile: z.number() }),
  /** One token per patch of 32², at most `most` of them, times `factor`. */
  z.strictObject({ rule: z.literal("patches"), most: z.number(), factor: z.number() }),
  /** The same for every image. */
  z.strictObject({ rule: z.literal("fixed"), tokens: z.number() }),
])

const priceSchema = z.strictObject({
  /** US dollars per million tokens. */
  input: z.number().nonnegative(),
  output: z.number().nonnegative(),
  image: imageRule,
})

/** Prices by the names of models. */
export const pricesSchema = z.record(z.string(), priceSchema)

export type Price = z.infer<typeof priceSchema>

/**
 * List prices at the time of writing, in US dollars per million tokens: a starting point for one's own price file, not a
 * promise. The entry of a model is the longest name that its own name starts with ("gpt-4o" for "gpt-4o-2024-11-20").
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

/** The price of a model on one's own machine. */
export const FREE: Price = { input: 0, output: 0, image: { rule: "fixed", tokens: 0 } }

/** The price of a model; half of it in a batch. `undefined` when no entry fits. */
export function priceOf(model: string, prices: Record<string, Price>, batch = false): Price | undefined {
  const name = model.slice(model.lastIndexOf("/") + 1)
  const fits = Object.keys(prices).filter((entry) => model.startsWith(entry) || name.startsWith(entry))
  const best = fits.sort((a, b) => b.length - a.length)[0]
  if (best === undefined) return undefined
  const price = prices[best]
  return batch ? { ...price, input: price.input / 2, output: price.output / 2 } : price
}

/** The price of a model for which a budget is set. @throws FourtierError when no entry fits */
export function requirePrice(model: string, prices: Record<string, Price>, batch: boolean): Price {
  const price = priceOf(model, prices, batch)
  if (price) return price
  const near = nearest(model, Object.keys(prices))
  throw new FourtierError({
    where: "budget",
    what: `no price is known for model "${model}"`,
    fix: `add it to a price file and give that with --prices; \`fourtier describe prices\` prints one to start from${near ? ` (nearest entry: ${near})` : ""}`,
  })
}

/** Tokens that an image counts as, by its size in pixels. */
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

/** Estimated tokens of a text, at four characters each, as is usual for English. */
export function textTokens(text: string): number {
  return Math.ceil(text.length / 4)
}

/** US dollars. */
export function costOf(price: Price, inputTokens: number, outputTokens: number): number {
  return (price.input * inputTokens + price.output * outputTokens) / 1e6
}
