/** What a model thinks before it answers is not its answer, however its server marks it. */

import { expect, it, describe as suite } from "vitest"
import { checksSchema, judgeReply } from "../../src/describe/check.ts"
import { parseTogether, presets } from "../../src/describe/prompts.ts"
import { stripReasoning } from "../../src/describe/reasoning.ts"

suite("reasoning", () => {
  it.each([
    ["<think>The man moves closer. A hug?</think>hugging", "hugging"],
    ["<think>\n</think>\n\nhugging", "hugging"],
    ["The man moves closer, so it is a hug.\n</think>\n\nhugging", "hugging"],
    ["<think>a<think>b</think>c</think>hugging", "hugging"],
    ["<think>first</think>\n<think>second</think>\nhugging", "hugging"],
    ["<Thinking>arms</Thinking> hugging", "hugging"],
    ["<reasoning effort='low'>arms</reasoning>hugging", "hugging"],
    ["<think>arms</think><answer>hugging</answer>", "hugging"],
    ["<answer>hugging</answer>", "hugging"],
    ["[THINK]arms[/THINK]hugging", "hugging"],
    ["◁think▷arms◁/think▷hugging", "hugging"],
    ["<seed:think>arms</seed:think>hugging", "hugging"],
    ["<unused94>thought\narms<unused95>hugging", "hugging"],
    ["<|channel>thought\narms<channel|>hugging", "hugging"],
    ["<|begin_of_thought|>arms<|end_of_thought|><|begin_of_solution|>hugging<|end_of_solution|>", "hugging"],
    ["<think>arms</think><|begin_of_box|>hugging<|end_of_box|>", "hugging"],
    ["<|START_THINKING|>arms<|END_THINKING|><|START_RESPONSE|>hugging<|END_RESPONSE|>", "hugging"],
    [
      "<|channel|>analysis<|message|>arms<|end|><|start|>assistant<|channel|>final<|message|>hugging<|return|>",
      "hugging",
    ],
    ["<|channel|>final<|message|>hugging", "hugging"],
    ["analysisThe man moves closer.assistantfinalhugging", "hugging"],
    ["Thinking...\narms\n...done thinking.\n\nhugging", "hugging"],
    ["hugging<|im_end|>", "hugging"],
    ["hugging</s>", "hugging"],
  ])("takes it out of %j", (text, answer) => {
    expect(stripReasoning(text)).toMatchObject({ text: answer, cut: false })
  })

  it.each([
    "<think>The man moves closer and",
    "<think>a</think> <think>and then",
    "[THINK]The man",
    "<|channel|>analysis<|message|>The man moves closer",
    "analysisThe man moves closer and",
  ])("says that %j is cut off", (text) => {
    expect(stripReasoning(text)).toEqual({ text: "", reasoned: true, cut: true })
  })

  it.each([
    "A man thinks, then answers.",
    "hugging",
    "An analysis of the frames: they hug.",
    "He thinks <about it> and walks on.",
    "a < b and c > d",
    " spaces stay ",
  ])("leaves %j as it is", (text) => {
    expect(stripReasoning(text)).toEqual({ text, reasoned: false, cut: false })
  })

  it("flags a reply that holds reasoning alone, and says whether it was cut off", () => {
    const [prompt] = presets.paper.prompts
    const checks = checksSchema.parse({})
    const flags = (text: string, finish: "stop" | "length", reasoned = false) =>
      judgeReply({ text, finish, reasoned }, prompt, checks).flags
    expect(flags("<think>arms</think>hugging", "stop")).toEqual([])
    expect(flags("<think>The man", "length")).toEqual(["reasoning without an answer", "cut off"])
    expect(flags("", "length", true)).toEqual(["reasoning without an answer", "cut off"])
    expect(flags("", "stop", true)).toEqual(["reasoning without an answer"])
    expect(flags("<think>arms</think>", "stop")).toEqual(["reasoning without an answer"])
    expect(flags("<think>arms</think>A man walks up to", "length")).toEqual(["cut off"])
    expect(flags("", "stop")).toEqual(["empty"])
  })

  it("finds the answers to several prompts behind it", () => {
    const { prompts } = presets.paper
    const answers = { A: "a", B: "b", C: "c", D: "d" }
    const text = `<think>{"A": "arms?"} or {}</think>${JSON.stringify(answers)}`
    expect(parseTogether(stripReasoning(text).text, prompts)).toEqual(answers)
  })
})
