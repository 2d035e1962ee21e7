# Scans: scans.nn has them beside the same steps written one after the other; the gradients of scans.models, also of
# higher order, against central differences in __float128.
. "$ROOT/tests/lib.sh"
"$NNC" test "$ROOT/tests/check/scans.nn" >result || { cat result; exit 1; }
write_models "$ROOT/tests/check/scans.models"
(gradients 1 models/*.nn) >result || { cat result; exit 1; }
tail -n 1 result
