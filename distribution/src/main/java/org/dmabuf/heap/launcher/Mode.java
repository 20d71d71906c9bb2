// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.launcher;

import java.util.Map;

/**
 * Who is at the other end. The same bundles run either way, the shell's too, since its commands are wanted in scripts
 * as well; but only a person gets a terminal with an editor on it.
 */
enum Mode {
    /** A person: standard input and output are a terminal, and no command was given. */
    INTERACTIVE,

    /** One command, or a script on standard input. */
    BATCH,

    /** Nobody: neither standard input nor a terminal is read, and only a signal ends it. */
    DAEMON;

    static Mode of(CommandLine line) {
        if (line.daemon()) {
            return DAEMON;
        }
        var terminal = System.console();
        return line.command().isEmpty() && terminal != null && terminal.isTerminal() ? INTERACTIVE : BATCH;
    }

    /**
     * Sets the properties that the shell's bundle and JLine below it read when they start. What the user has set stays.
     *
     * <p>A script and a service must keep standard input and Ctrl-C to themselves: they get JLine's dumb terminal,
     * which touches neither, and the shell opens no session. A person gets the terminal through JLine's native code in
     * Java, or by calling stty; JLine's other ways unpack a library into the folder for temporary files and leave it
     * there.
     */
    void applyToShell(Home home, Map<String, String> settings) {
        settings.put("gosh.home", home.folder().toString()); // where the shell finds etc/gosh_profile
        if (this == INTERACTIVE) {
            setIfAbsent("org.jline.terminal.providers", "ffm,exec");
        } else {
            setIfAbsent("org.jline.terminal.provider", "dumb");
            settings.putIfAbsent("gosh.args", "--nointeractive --noshutdown");
        }
    }

    /** Sets log levels. Whoever runs a command wants its result and, of the log, what went wrong. */
    void applyToLog(boolean verbose) {
        if (verbose) {
            setIfAbsent("org.slf4j.simpleLogger.log.org.dmabuf", "debug");
            setIfAbsent("org.slf4j.simpleLogger.defaultLogLevel", "info");
        } else if (this == BATCH) {
            setIfAbsent("org.slf4j.simpleLogger.log.org.dmabuf", "warn");
        }
    }

    private static void setIfAbsent(String property, String value) {
        System.getProperties().putIfAbsent(property, value);
    }
}
