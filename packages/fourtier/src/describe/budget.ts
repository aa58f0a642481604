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
  /** Where the limits hold for several workers together: asks for a share of them. What it gives is this worker's alone. */
  grants?: Grants | undefined
}

/** Dollars and requests. */
export interface Grant {
  dollars: number
  requests: number
}

export interface Grants {
  /** @returns as much as there is, up to what is wanted; nothing where all is given away */
  take(wanted: Grant): Promise<Grant>
  giveBack(rest: Grant): Promise<void>
}

/** Requests that are asked for at once. */
const GRANTED_REQUESTS = 16

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
  #maxDollars: number
  #maxRequests: number
  readonly #grants: Grants | undefined
  #granting: Promise<void> | null = null
  #expected: number
  #reserved = 0
  #replies = 0

  constructor({ price, dollars, requests, expected, grants }: BudgetOptions) {
    this.price = price
    this.#grants = grants
    const limit = (most: number | undefined) => (most === undefined ? Number.POSITIVE_INFINITY : grants ? 0 : most)
    this.#maxDollars = limit(dollars)
    this.#maxRequests = limit(requests)
    this.#expected = expected
  }

  /** Reserves the cost of one request. @returns the amount, for `pay` or `refund`; null when the budget is exhausted */
  async reserve(): Promise<number | null> {
    while (this.#grants && this.#lacks()) {
      const before = [this.#maxDollars, this.#maxRequests]
      this.#granting ??= this.#replenish(this.#grants).finally(() => {
        this.#granting = null
      })
      await this.#granting
      if (this.#maxDollars === before[0] && this.#maxRequests === before[1]) break
    }
    return this.#reserveNow()
  }

  #lacks(): boolean {
    return this.sent >= this.#maxRequests || this.#exceeds()
  }

  /** Sums of fractions of a cent are not exact. */
  #exceeds(): boolean {
    return this.spent + this.#reserved + this.#expected > this.#maxDollars + 1e-9
  }

  async #replenish(grants: Grants): Promise<void> {
    const dollars = Number.isFinite(this.#maxDollars) ? GRANTED_REQUESTS * Math.max(this.#expected, 0.001) : 0
    const requests = Number.isFinite(this.#maxRequests) ? GRANTED_REQUESTS : 0
    const given = await grants.take({ dollars, requests })
    this.#maxDollars += given.dollars
    this.#maxRequests += given.requests
  }

  /** Gives back what has been granted and not been spent. To be called when nothing is in progress any more. */
  async settle(): Promise<void> {
    if (!this.#grants) return
    const finite = (most: number, used: number) => (Number.isFinite(most) ? Math.max(0, most - used) : 0)
    const rest = { dollars: finite(this.#maxDollars, this.spent), requests: finite(this.#maxRequests, this.sent) }
    if (rest.dollars === 0 && rest.requests === 0) return
    this.#maxDollars -= rest.dollars
    this.#maxRequests -= rest.requests
    await this.#grants.giveBack(rest)
  }

  #reserveNow(): number | null {
    if (this.sent >= this.#maxRequests) this.exhausted = "limit"
    else if (this.#exceeds()) this.exhausted = "budget"
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
