// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control.wire;

import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.UserPrincipal;
import jdk.net.ExtendedSocketOptions;

/** Users of the machine, by their numbers: a name may stand for another number in another name space. */
public final class User {
    private User() {}

    /** {@return the number of this process's user} */
    public static int own() throws IOException {
        return (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    }

    /** {@return the user at the other end of a Unix socket, as the kernel has it} */
    public static UserPrincipal peer(SocketChannel channel) throws IOException {
        return channel.getOption(ExtendedSocketOptions.SO_PEERCRED).user();
    }

    /** {@return whether that is this process's user or root} */
    public static boolean isOwnOrRoot(UserPrincipal user) throws IOException {
        return user.equals(numbered(own())) || user.equals(numbered(0));
    }

    /** The JDK compares users by number, and takes a number for a user that has no name. */
    private static UserPrincipal numbered(int number) throws IOException {
        return number == own()
                ? Files.getOwner(Path.of("/proc/self"))
                : Path.of("/")
                        .getFileSystem()
                        .getUserPrincipalLookupService()
                        .lookupPrincipalByName(Integer.toString(number));
    }
}
