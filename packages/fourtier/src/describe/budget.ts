/** What a run may spend: counts requests and dollars, and refuses the request that would exceed a limit. */

import { FourtierError } from "@fourtier/tensor"
import { costOf, type Price } from "./cost.ts"

export interface BudgetOptions {
  price: Price | undefined
  /** US dollars; without it, no limit. */
  dollars?: number | undefined
  /** Requests; without it, no limit. */
  requests?: number | undefined
  /** Expected dollars per request, until replies show the cost. */
  expected: number
}

export class Budget {
  /** US dollars so far. */
  spent = 0
  /** Requests sent so far, those that failed included. */
  sent = 0
  /** Requests answered so far. */
  answered = 0
  /** The limit that allows no further request, if any. */
  exhausted: "budget" | "limit" | null = null
  readonly price: Price | undefined
  readonly #maxDollars: number
  readonly #maxRequests: number
  #expected: number
  #reserved = 0
  #replies = 0

  constructor({ price, dollars, requests, expected }: BudgetOptions) {
    this.price = price
    this.#maxDollars = dollars ?? Number.POSITIVE_INFINITY
    this.#maxRequests = requests ?? Number.POSITIVE_INFINITY
    this.#expected = expected
  }

  /** Reserves the cost of one request. @returns the amount, for `pay` or `refund`; null when the budget is exhausted */
  reserve(): number | null {
    if (this.sent >= this.#maxRequests) this.exhausted = "limit"
    else if (this.spent + this.#reserved + this.#expected > this.#maxDollars) this.exhausted = "budget"
    else this.exhausted = null
    if (this.exhausted) return null
    this.sent++
    this.#reserved += this.#expected
    return this.#expected
  }

  /** A reply has come. @returns its cost in dollars; undefined without a price */
  pay(reserved: number, inputTokens: number | null, outputTokens: number | null): number | undefined {
    this.#reserved -= reserved
    this.answered++
    if (!this.price) return undefined
    const counted = costOf(this.price, inputTokens ?? 0, outputTokens ?? 0)
    const cost = inputTokens === null || outputTokens === null ? Math.max(reserved, counted) : counted
    this.spent += cost
    this.#replies++
    this.#expected = this.spent / this.#replies
    return cost
  }

  /** The request has failed and cost nothing. It was sent all the same. */
  refund(reserved: number): void {
    this.#reserved -= reserved
  }

  /** The request was never sent. */
  cancel(reserved: number): void {
    this.refund(reserved)
    this.sent--
  }
}

/**
 * "5usd", "$5", "0.50 USD" or a bare number, in US dollars.
 * @throws FourtierError for anything else
 *
 * @example
 * ```ts
 * import { parseBudget } from "fourtier/describe"
 *
 * parseBudget("5usd") // 5
 * ```
 */
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
