// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control.wire;

import java.util.ArrayList;
import java.util.List;

/**
 * What a client asks for in its hello.
 *
 * @param verb the kind of request
 * @param terminal type of the client's terminal; empty where there is none
 * @param charset of its terminal
 * @param columns of its terminal
 * @param rows of its terminal
 * @param command the command line or the script to run, or {@code json} for a status in that form; empty otherwise
 */
public record Request(Verb verb, String terminal, String charset, int columns, int rows, String command) {
    private static final int MAX_SIZE = 10_000;

    /** The kinds of requests. */
    public enum Verb {
        /** The gateway's state, told without its shell. */
        STATUS,
        /** A shell on the client's terminal. */
        SHELL,
        /** One command line, without a terminal. */
        COMMAND,
        /** Command lines without a terminal, up to the first that fails. */
        SCRIPT
    }

    /** A request without a terminal. */
    public static Request of(Verb verb, String command) {
        return new Request(verb, "", "", 0, 0, command);
    }

    /** {@return the frame that asks for it} */
    public Frame frame() throws MalformedFrameException {
        return new Hello(List.of(
                        verb.name(), terminal, charset, Integer.toString(columns), Integer.toString(rows), command))
                .frame();
    }

    /** The request in a client's first frame. */
    public static Request of(Frame frame) throws MalformedFrameException {
        List<String> words = new ArrayList<>(Hello.of(frame).words());
        try {
            return new Request(
                    Verb.valueOf(words.get(0)),
                    words.get(1),
                    words.get(2),
                    size(Integer.parseInt(words.get(3))),
                    size(Integer.parseInt(words.get(4))),
                    words.get(5));
        } catch (IllegalArgumentException | IndexOutOfBoundsException e) {
            throw new MalformedFrameException("the hello asks for what this gateway does not know");
        }
    }

    /** {@return a size that a terminal can have: 0 stands for one that is not known} */
    public static int size(int claimed) {
        return Math.clamp(claimed, 0, MAX_SIZE);
    }
}
