/** What workers spend together never exceeds what they may. */

import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Rng } from "@fourtier/tensor"
import { afterAll, expect, it } from "vitest"
import { Budget } from "../../src/describe/budget.ts"
import { Ledger } from "../../src/shards/ledger.ts"
import { SharedFolder } from "../../src/shards/shared-folder.ts"
import { FaultyLine } from "./faults.ts"

const root = mkdtempSync(join(tmpdir(), "fourtier-ledger-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

it("workers take in turn, over lines that fail and lose replies, and never more than there is", async () => {
  const rng = new Rng(3)
  const line = new FaultyLine({ random: () => rng.next(), failing: 0.05, lost: 0.05 })
  const folder = await new SharedFolder(join(root, "faulty"), { calls: line.calls, wait: 0 }).make()
  const ledgers = ["a", "b", "c", "d"].map((id) => new Ledger(folder, id, { dollars: 10, requests: 100 }))
  const taken = await Promise.all(
    ledgers.flatMap((ledger) => Array.from({ length: 8 }, () => ledger.take({ dollars: 0.5, requests: 5 }))),
  )
  const sum = (name: "dollars" | "requests") => taken.reduce((total, one) => total + one[name], 0)
  expect([sum("dollars"), sum("requests")]).toEqual([10, 100])
  await ledgers[0].giveBack({ dollars: 2, requests: 7 })
  expect(await ledgers[3].take({ dollars: 5, requests: 50 })).toEqual({ dollars: 2, requests: 7 })
  expect(await ledgers[1].take({ dollars: 5, requests: 50 })).toEqual({ dollars: 0, requests: 0 })
})

it("a budget of several workers is spent once, and what one leaves over another can use", async () => {
  const folder = await new SharedFolder(join(root, "budget")).make()
  const budgets = ["a", "b"].map((id) => {
    const limits = { dollars: 1, requests: undefined }
    return new Budget({
      price: { input: 0, output: 1, image: { rule: "fixed", tokens: 0 } },
      expected: 0.01,
      ...limits,
      grants: new Ledger(folder, id, limits),
    })
  })
  const [one, two] = budgets
  const spend = async (budget: Budget, requests: number) => {
    let sent = 0
    for (; sent < requests; sent++) {
      const reserved = await budget.reserve()
      if (reserved === null) break
      budget.pay(reserved, 0, 10_000)
    }
    return sent
  }
  expect(await Promise.all([spend(one, 20), spend(two, 20)])).toEqual([20, 20])
  await one.settle()
  expect(await spend(two, 1000)).toBe(60)
  expect([two.exhausted, Number((one.spent + two.spent).toFixed(6))]).toEqual(["budget", 1])
})
