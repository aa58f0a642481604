/** `docs/configuration.md` is written from the schema: `npm run docs` renews it, this test holds it current. */

import { join } from "node:path"
import { configSchema, loadConfig, PRESETS } from "fourtier"
import { expect, it } from "vitest"
import { listSettings, type SettingInfo, valueAt } from "../../packages/fourtier/src/util/schema.ts"

const HEAD = `# Configuration

Every setting, its meaning and its default. This page is written from the schema by \`npm run docs\`.

Settings come in layers; later ones win: a preset (\`--preset ${Object.keys(PRESETS).join("` or `--preset ")}\`, \`small\` by default), a
YAML or JSON file (\`--config file\`, which may name a \`preset\` and a file to extend with \`extends: other.yaml\`), dedicated flags
such as \`--folds\`, and single assignments (\`--set finetune.epochs=20 model.integration=learned\`). Groups merge key by key;
lists and single values replace. Unknown keys are errors that name the nearest known one. The settings as resolved are stored with
every run as \`config.yaml\`, which can be given back with \`--config\`.

In the tables, \`[]\` stands for an element of a list. Where a setting has variants (\`kind\`, \`step\`), the settings of all of them
are listed. Columns named after a preset say what it sets.
`

const code = (value: unknown) => (value === undefined ? "" : `\`${JSON.stringify(value)}\``)
const cell = (text: string) => text.replaceAll("|", "\\|")

it("lists every setting", async () => {
  const presets = await Promise.all(
    Object.entries(PRESETS).map(async ([name, tree]) => {
      await loadConfig({ preset: name })
      return { name, tree }
    }),
  )
  const groups = new Map<string, SettingInfo[]>()
  for (const setting of listSettings(configSchema)) {
    const [group] = setting.path.split(/[.[]/)
    groups.set(group, [...(groups.get(group) ?? []), setting])
  }
  const single = [...groups].filter(([, settings]) => settings.length === 1).flatMap(([, settings]) => settings)
  const tables = [["General", single] as const, ...[...groups].filter(([, settings]) => settings.length > 1)]
  const sections = tables.map(([title, settings]) => {
    const own = presets.filter(({ tree }) => settings.some(({ path }) => isSet(tree, path)))
    const columns = ["setting", "what may stand there", "default", ...own.map(({ name }) => `\`${name}\``), "meaning"]
    const rows = settings.map(({ path, expected, default: fallback, description }) => [
      `\`${path}\``,
      shortened(expected),
      code(fallback),
      ...own.map(({ tree }) => (isSet(tree, path) ? code(valueAt(tree, path.split("."))) : "")),
      description ?? "",
    ])
    const lines = [columns, columns.map(() => "---"), ...rows].map((row) => `| ${row.map(cell).join(" | ")} |`)
    const about = configSchema.shape[title as keyof typeof configSchema.shape]?.description
    return `## ${title === "General" ? title : `\`${title}\``}\n\n${about && settings.length > 1 ? `${about[0].toUpperCase()}${about.slice(1)}.\n\n` : ""}${lines.join("\n")}\n`
  })
  await expect(`${HEAD}\n${sections.join("\n")}`).toMatchFileSnapshot(
    join(import.meta.dirname, "../../docs/configuration.md"),
  )
})

/** Groups whose settings have lines of their own are not spelled out. */
function shortened(expected: string): string {
  const kinds = expected.replaceAll(/a group of settings \([^)]*\)/g, "a group of settings")
  return kinds.replaceAll(/(a group of settings)( or a group of settings)+/g, "$1")
}

/** Whether a preset sets this very place: a value or a list, not a group of settings. */
function isSet(tree: unknown, path: string): boolean {
  const value = valueAt(tree, path.split("."))
  return value !== undefined && (Array.isArray(value) || typeof value !== "object")
}
