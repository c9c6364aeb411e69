// Shell completion: the shells ask the program itself what may follow, so that nothing has to be kept up to date.

import type { Command } from 'commander';

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_mindpainter() {
  local IFS=$'\\n'
  COMPREPLY=($(mindpainter __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  [ \${#COMPREPLY[@]} -eq 0 ] && COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _mindpainter mindpainter`,
  zsh: `#compdef mindpainter
_mindpainter() {
  local -a found
  found=("\${(@f)$(mindpainter __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${found[1]}" ]]; then compadd -a found; else _files; fi
}
compdef _mindpainter mindpainter`,
  fish: `complete -c mindpainter -a '(mindpainter __complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'`,
};

export const SHELLS = Object.keys(SCRIPTS);

/** The words that may stand where the last of \`words\` is being written; none where a file or a value is expected. */
export function complete(program: Command, words: readonly string[]): string[] {
  const current = words.at(-1) ?? '';
  let command = program;
  for (const word of words.slice(0, -1)) {
    const inner = command.commands.find((one) => one.name() === word);
    if (inner) command = inner;
  }
  const previous = words.at(-2);
  const expectsValue = command.options.some((option) => option.long === previous && option.required);
  if (expectsValue) return [];
  const visible = command
    .createHelp()
    .visibleCommands(command)
    .map((one) => one.name());
  const options = command
    .createHelp()
    .visibleOptions(command)
    .map((option) => option.long ?? '');
  return [...visible, ...(current.startsWith('-') ? options : [])].filter(
    (word) => word !== '' && word.startsWith(current),
  );
}

export function addCompletion(program: Command): void {
  program
    .command('completion')
    .argument('<shell>', SHELLS.join(', '))
    .description('prints what teaches a shell to complete this command')
    .addHelpText(
      'after',
      `\nExamples:
  $ mindpainter completion bash >> ~/.bashrc
  $ mindpainter completion zsh > "\${fpath[1]}/_mindpainter"
  $ mindpainter completion fish > ~/.config/fish/completions/mindpainter.fish`,
    )
    .action((shell: string, _: unknown, command: Command) => {
      const script = SCRIPTS[shell];
      if (!script)
        command.error(`error: there is no completion for ${shell}; there is for ${SHELLS.join(', ')}`);
      process.stdout.write(`${script}\n`);
    });
  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .allowUnknownOption()
    .action((words: readonly string[]) => {
      const found = complete(program, words);
      if (found.length > 0) process.stdout.write(`${found.join('\n')}\n`);
    });
}
