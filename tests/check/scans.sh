# Scans: scans.nn has them beside the same steps written one after the other; the gradients of scans.models, also of
# higher order, against central differences in __float128.
. "$ROOT/tests/lib.sh"
"$NNC" test "$ROOT/tests/check/scans.nn" >result || { cat result; exit 1; }
write_models "$ROOT/tests/check/scans.models"
# Third derivatives cancel: how far depends on the point, which depends on what models stand before. So this one may be
# as far off in float as rounding its params alone would move it.
mkdir cancels
mv models/third_order.nn cancels
(gradients -c 1 cancels/*.nn) >result || { cat result; exit 1; }
(gradients 1 models/*.nn) >result || { cat result; exit 1; }
tail -n 1 result
