// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.gateway.control.wire;

import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.UserPrincipal;
import jdk.net.ExtendedSocketOptions;

/** Users of the machine, by number: a name may stand for another number in another user namespace. */
public final class User {
    private User() {}

    /** {@return the number of this process's user} */
    public static int own() throws IOException {
        return (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    }

    /** {@return the user at the other end of a Unix socket, as the kernel reports it} */
    public static UserPrincipal peer(SocketChannel channel) throws IOException {
        return channel.getOption(ExtendedSocketOptions.SO_PEERCRED).user();
    }

    /** {@return whether the user is this process's user or root} */
    public static boolean isOwnOrRoot(UserPrincipal user) throws IOException {
        return user.equals(numbered(own())) || user.equals(numbered(0));
    }

    /** The JDK compares users by number. For a user without a name it accepts the number as the name. */
    private static UserPrincipal numbered(int number) throws IOException {
        return number == own()
                ? Files.getOwner(Path.of("/proc/self"))
                : Path.of("/")
                        .getFileSystem()
                        .getUserPrincipalLookupService()
                        .lookupPrincipalByName(Integer.toString(number));
    }
}
