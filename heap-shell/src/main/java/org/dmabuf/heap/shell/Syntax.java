// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.shell;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Syntax of one command: it parses a command line and writes the help. Options and arguments may be mixed; {@code --}
 * ends the options. A value follows its option, as in {@code --heap x}, {@code --heap=x}, {@code -h x} and {@code -hx}.
 *
 * <p>Immutable.
 */
final class Syntax {
    private static final Option HELP = Option.flag("help", "print this");

    private final String command;
    private final String summary;
    private final String arguments;
    private final int least;
    private final int most;
    private final List<Option> options;
    private final List<String> notes;

    private Syntax(
            String command,
            String summary,
            String arguments,
            int least,
            int most,
            List<Option> options,
            List<String> notes) {
        this.command = command;
        this.summary = summary;
        this.arguments = arguments;
        this.least = least;
        this.most = most;
        this.options = List.copyOf(options);
        this.notes = List.copyOf(notes);
    }

    /**
     * Creates a syntax without arguments and options.
     *
     * @param command name of the command, without the scope
     * @param summary what the command does, as a sentence without a full stop
     * @return its syntax
     */
    static Syntax of(String command, String summary) {
        return new Syntax(command, summary, "", 0, 0, List.of(), List.of());
    }

    /**
     * {@return this syntax with arguments}
     *
     * @param names names for the help, such as {@code NAME SOCKET}
     * @param least least number of arguments
     * @param most greatest number of arguments
     */
    Syntax taking(String names, int least, int most) {
        return new Syntax(command, summary, names, least, most, options, notes);
    }

    /** {@return this syntax with more options} */
    Syntax with(Option... more) {
        List<Option> all = Stream.concat(options.stream(), Arrays.stream(more)).toList();
        return new Syntax(command, summary, arguments, least, most, all, notes);
    }

    /** {@return this syntax with another line below the options in the help, such as an example} */
    Syntax noting(String note) {
        List<String> all = new ArrayList<>(notes);
        all.add(note);
        return new Syntax(command, summary, arguments, least, most, options, all);
    }

    /** {@return the command with its scope} */
    String command() {
        return "dmaheap:" + command;
    }

    /** {@return whether a word calls this command, with or without its scope} */
    boolean isCalled(String word) {
        return word.equals(command) || word.equals(command());
    }

    /** {@return the options of the command, including that for the help} */
    List<Option> options() {
        return Stream.concat(options.stream(), Stream.of(HELP)).toList();
    }

    /**
     * Returns the placeholder for the next word of a line, if that word is not an option.
     *
     * @param before words between the command and the next word
     * @return the option, such as {@code --heap}, after an option that needs a value; else the argument's name in the
     *     help, such as {@code HEAP}. Empty if no argument is expected
     */
    String place(List<String> before) {
        int arguments = 0;
        boolean ended = false;
        String place = "";
        for (String word : before) {
            boolean value = !place.isEmpty();
            place = "";
            if (value) {
                continue;
            }
            if (ended || !word.startsWith("-") || word.length() == 1) {
                arguments++;
            } else if (word.equals("--")) {
                ended = true;
            } else {
                place = awaiting(word).map(option -> "--" + option.name()).orElse("");
            }
        }
        if (!place.isEmpty() || arguments >= most) {
            return place;
        }
        String[] names = this.arguments.replaceAll("[\\[\\]]|\\.\\.\\.|…", "").split(" ");
        return names[Math.min(arguments, names.length - 1)];
    }

    /** {@return the option whose value is the next word} */
    private Optional<Option> awaiting(String word) {
        List<Option> valued =
                options.stream().filter(option -> option.value().isPresent()).toList();
        if (word.startsWith("--")) {
            return valued.stream()
                    .filter(option -> word.equals("--" + option.name()))
                    .findFirst();
        }
        for (int i = 1; i < word.length(); i++) {
            Optional<Character> letter = Optional.of(word.charAt(i));
            Optional<Option> found = valued.stream()
                    .filter(option -> option.letter().equals(letter))
                    .findFirst();
            if (found.isPresent()) {
                return i + 1 == word.length() ? found : Optional.empty(); // otherwise the rest of the word is its value
            }
        }
        return Optional.empty();
    }

    /**
     * Parses a command line.
     *
     * @param words words from Gogo, each read by its {@code toString}
     * @return options and arguments
     * @throws IllegalArgumentException with a message for the user of the shell
     */
    Line parse(Object... words) {
        List<String> line = Arrays.stream(words).map(String::valueOf).toList();
        int end = line.indexOf("--");
        if ((end < 0 ? line : line.subList(0, end)).contains("--help")) {
            return new Line(Map.of(), List.of(), true);
        }
        requireAsTyped(words, line);
        Map<String, String> given = new LinkedHashMap<>();
        List<String> others = new ArrayList<>();
        for (int i = 0; i < line.size(); i++) {
            String word = line.get(i);
            if (word.equals("--")) {
                others.addAll(line.subList(i + 1, line.size()));
                break;
            }
            if (word.startsWith("--")) {
                i += parseLong(word.substring(2), line, i, given);
            } else if (word.startsWith("-") && word.length() > 1) {
                i += parseLetters(word.substring(1), line, i, given);
            } else {
                others.add(word);
            }
        }
        if (others.size() < least || others.size() > most) {
            throw new IllegalArgumentException(
                    (others.isEmpty() ? "" : "invalid arguments '" + String.join(" ", others) + "'; ") + usage());
        }
        return new Line(given, others, false);
    }

    /** Gogo turns words into numbers: 1.50 and 1d arrive as 1.5 and 1.0, and 0011 as 11. */
    private void requireAsTyped(Object[] words, List<String> line) {
        for (int i = 0; i < words.length; i++) {
            boolean digitsCount = i > 0
                    && awaiting(line.get(i - 1)).filter(Option::isHexadecimal).isPresent();
            if (words[i] instanceof Double || words[i] instanceof Number && digitsCount) {
                throw new IllegalArgumentException("ambiguous number " + words[i]
                        + ": expected quotes around it, since the shell reads it as a number and may change it");
            }
        }
    }

    /** {@return the number of additional words that it used} */
    private int parseLong(String text, List<String> line, int index, Map<String, String> given) {
        int equals = text.indexOf('=');
        String name = equals < 0 ? text : text.substring(0, equals);
        Option option = find(one -> one.name().equals(name), "--" + name);
        if (option.value().isEmpty()) {
            if (equals >= 0) {
                throw new IllegalArgumentException("option --" + name + " takes no value; " + usage());
            }
            put(option, "", given);
            return 0;
        }
        return equals < 0 ? putNext(option, line, index, given) : putValue(option, text.substring(equals + 1), given);
    }

    /** {@return the number of additional words that it used} */
    private int parseLetters(String letters, List<String> line, int index, Map<String, String> given) {
        for (int i = 0; i < letters.length(); i++) {
            char letter = letters.charAt(i);
            Option option = find(one -> one.letter().equals(Optional.of(letter)), "-" + letter);
            if (option.value().isPresent()) {
                String rest = letters.substring(i + 1);
                return rest.isEmpty() ? putNext(option, line, index, given) : putValue(option, rest, given);
            }
            put(option, "", given);
        }
        return 0;
    }

    private Option find(Predicate<Option> sought, String typed) {
        return options.stream()
                .filter(sought)
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("unknown option " + typed + ": "
                        + (options.isEmpty()
                                ? command() + " has no options"
                                : "expected one of "
                                        + options.stream()
                                                .map(option -> "--" + option.name())
                                                .collect(Collectors.joining(", ")))
                        + "; put -- before an argument that begins with -"));
    }

    private int putNext(Option option, List<String> line, int index, Map<String, String> given) {
        // A value that begins with a hyphen needs =, as in --name=--x: otherwise it is nearly always the next option.
        if (index + 1 == line.size() || line.get(index + 1).startsWith("--")) {
            throw missing(option);
        }
        put(option, line.get(index + 1), given);
        return 1;
    }

    private int putValue(Option option, String value, Map<String, String> given) {
        put(option, value, given);
        return 0;
    }

    private void put(Option option, String value, Map<String, String> given) {
        if (option.value().isPresent() && value.isEmpty()) {
            throw missing(option);
        }
        if (given.putIfAbsent(option.name(), value) != null) {
            throw new IllegalArgumentException("option --" + option.name() + " occurs twice; give it once");
        }
    }

    private IllegalArgumentException missing(Option option) {
        return new IllegalArgumentException("option --" + option.name() + " needs a value: "
                + option.value().orElseThrow() + "; " + usage());
    }

    /** {@return one line with the command's form and a reference to its help} */
    String usage() {
        return "usage: " + typed() + " (see: " + command() + " --help)";
    }

    private String typed() {
        return command() + (options.isEmpty() ? "" : " [options]") + (arguments.isEmpty() ? "" : " " + arguments);
    }

    /** {@return the help: a summary and each option} */
    String help() {
        Table table = Table.withoutHeadings(false, false);
        options.forEach(option -> table.row("  " + option.forms(), option.meaning()));
        table.row("  " + HELP.forms(), HELP.meaning());
        StringBuilder text = new StringBuilder("usage: ").append(typed()).append("\n\n");
        text.append(summary).append(".\n\n").append(table);
        for (String note : notes) {
            text.append("\n\n").append(note);
        }
        return text.toString();
    }
}
