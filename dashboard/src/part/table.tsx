import type { ComponentChildren } from "preact";

interface Props {
  /** What it holds, for those who do not see it. */
  label: string;
  /** The cells of its first row. */
  head: ComponentChildren;
  /** Its other rows. */
  children: ComponentChildren;
  caption?: string;
  kind?: string;
}

/** A table that scrolls sideways by itself where it is too wide, also by keyboard. */
export function Table({ label, head, children, caption, kind }: Props) {
  return (
    <div class="scroll" role="region" aria-label={label} tabIndex={0}>
      <table class={kind}>
        {caption && <caption>{caption}</caption>}
        <thead>
          <tr>{head}</tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** Columns by their names; `numbers` are those of numbers. */
export function Heads({ names, numbers = [] }: { names: string[]; numbers?: string[] }) {
  return (
    <>
      {names.map((name) => (
        <th key={name} scope="col" class={numbers.includes(name) ? "n" : undefined}>
          {name}
        </th>
      ))}
    </>
  );
}
