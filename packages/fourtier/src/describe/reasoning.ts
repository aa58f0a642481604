/**
 * Models that reason before they answer, behind servers that do not keep the two apart: the reasoning is taken out, so that what is
 * kept is the answer alone.
 */

/** How models mark the beginning and the end of their reasoning. */
const MARKS: readonly (readonly [begin: RegExp, end: RegExp])[] = [
  // DeepSeek-R1, Qwen3, GLM-4.1V, Seed-OSS, Granite, and prompts that ask for the like
  ...["think", "thinking", "thoughts?", "reasoning", "reflection", "analysis", "scratchpad", "seed:think"].map(
    (name) => [new RegExp(`<${name}(\\s[^>]*)?>`, "i"), new RegExp(`</${name}>`, "i")] as const,
  ),
  [/\[THINK\]/, /\[\/THINK\]/], // Magistral
  [/◁think▷/, /◁\/think▷/], // Kimi-VL
  [/<\|begin_of_thought\|>/, /<\|end_of_thought\|>/], // Sky-T1
  [/<\|START_THINKING\|>/, /<\|END_THINKING\|>/], // Cohere
  [/<unused94>/, /<unused95>/], // MedGemma
  [/<\|channel>/, /<channel\|>/], // Gemma
  [/^\s*Thinking\.\.\.(?=\n)/, /\.\.\.done thinking\./], // Ollama's own display
]

/** Marks around the answer. */
const ANSWER_MARKS =
  /<\/?(answer|response|final_answer)>|<\|(begin|end)_of_(solution|box)\|>|<\|(START|END)_RESPONSE\|>/gi

/** Marks that end a turn, where the server left them in. */
const TURN_ENDS = /(\s*(<\|(im_end|eot_id|end|return|endoftext|end_of_text)\|>|<\/s>|<end_of_turn>))+\s*$/

export interface Stripped {
  text: string
  /** Whether there was any reasoning. */
  reasoned: boolean
  /** Whether the text ends within the reasoning. */
  cut: boolean
}

/**
 * A model's answer without its reasoning. Where only the end of the reasoning is marked, all before it is taken out; where only its
 * beginning is, all after it.
 *
 * @example
 * ```ts
 * import { stripReasoning } from "fourtier/describe"
 *
 * stripReasoning("<think>Two men, arms around each other.</think>hugging").text // "hugging"
 * ```
 */
export function stripReasoning(answer: string): Stripped {
  const channels = stripChannels(answer)
  if (channels) return channels
  let text = answer
  let reasoned = false
  let cut = false
  for (const [begin, end] of MARKS) {
    const block = new RegExp(`${begin.source}[\\s\\S]*?${end.source}`, flagsOf(begin, "g"))
    const upToEnd = new RegExp(`^[\\s\\S]*${end.source}`, flagsOf(end))
    const fromBegin = new RegExp(`${begin.source}[\\s\\S]*$`, flagsOf(begin))
    const closed = text.replace(block, "").replace(upToEnd, "")
    const rest = closed.replace(fromBegin, "")
    if (rest !== closed) cut = true
    if (rest !== text) reasoned = true
    text = rest
  }
  text = text.replace(TURN_ENDS, "")
  if (reasoned || /^\s*<(\||answer>|response>|final_answer>)/i.test(text)) text = text.replace(ANSWER_MARKS, "")
  return { text: reasoned || text !== answer ? text.trim() : answer, reasoned, cut: cut && text.trim() === "" }
}

const FINAL = /<\|channel\|>\s*final[^<]*(?:<\|(?!message)[^|]*\|>[^<]*)*<\|message\|>/g
/** The same with its marks lost on the way. */
const BARE_FINAL = /assistant\s*final(?=\S)/g

/** gpt-oss answers in channels: `analysis`, `commentary` and `final` (https://cookbook.openai.com/articles/openai-harmony). */
function stripChannels(answer: string): Stripped | null {
  const marked = /<\|channel\|>/.test(answer)
  const bare = /^analysis(?=[A-Z"'*])/.test(answer)
  if (!marked && !bare) return null
  const start = [...answer.matchAll(marked ? FINAL : BARE_FINAL)].at(-1)
  if (!start) return { text: "", reasoned: true, cut: true }
  const [text] = answer.slice(start.index + start[0].length).split(/<\|(?:end|return|start|channel)\|>/)
  return { text: text.trim(), reasoned: true, cut: false }
}

function flagsOf(pattern: RegExp, more = ""): string {
  return `${pattern.flags.replaceAll("g", "")}${more}`
}
