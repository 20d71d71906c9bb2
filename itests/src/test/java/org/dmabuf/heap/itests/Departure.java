// SPDX-License-Identifier: Apache-2.0
package org.dmabuf.heap.itests;

import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.wiring.FrameworkWiring;

/** The ways in which a bundle goes; after two of them it is back, with other classes. */
enum Departure {
    STOP {
        @Override
        void happen(BundleContext operator, Bundle bundle, TestBundle content) throws Exception {
            bundle.stop();
        }
    },
    UPDATE {
        @Override
        void happen(BundleContext operator, Bundle bundle, TestBundle content) throws Exception {
            bundle.update(content.jar());
        }
    },
    REFRESH {
        @Override
        void happen(BundleContext operator, Bundle bundle, TestBundle content) throws Exception {
            CountDownLatch refreshed = new CountDownLatch(1);
            operator.getBundle(0)
                    .adapt(FrameworkWiring.class)
                    .refreshBundles(List.of(bundle), _ -> refreshed.countDown());
            if (!refreshed.await(60, TimeUnit.SECONDS)) {
                throw new AssertionError("the refresh has not ended");
            }
        }
    },
    UNINSTALL {
        @Override
        void happen(BundleContext operator, Bundle bundle, TestBundle content) throws Exception {
            bundle.uninstall();
        }
    };

    /**
     * Makes it so; returns when it is.
     *
     * @param operator who does it
     * @param bundle goes
     * @param content what it is updated to
     */
    abstract void happen(BundleContext operator, Bundle bundle, TestBundle content) throws Exception;

    boolean comesBack() {
        return this == UPDATE || this == REFRESH;
    }
}
