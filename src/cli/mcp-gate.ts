#!/usr/bin/env -S node --
/** Entry point of the program `mcp-gate`. */
import 'reflect-metadata';
import { createProgram, declareCommands } from './declare-commands.js';
import { runCommandLine } from './run-command.js';

const program = createProgram();
void runCommandLine(program, process.argv.slice(2), (choose) => declareCommands(program, new Date(), choose));
